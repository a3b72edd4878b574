//! How much may be used: the arithmetic of rates and of calendar windows, on clocks that are given.

mod rate;
mod window;

pub use rate::{Bucket, Rate, Refused, Taken};
pub use window::Window;
