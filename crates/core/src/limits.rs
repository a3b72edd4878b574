//! How much may be used: the arithmetic of rates, of calendar windows and of what use costs.

mod cost;
mod rate;
mod window;

pub use cost::{Cost, InvalidAmount, Price};
pub use rate::{Bucket, Rate, Refused, Taken};
pub use window::Window;
