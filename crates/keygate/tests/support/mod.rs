//! The real program in a process of its own, and what stands around it.

// Each test binary uses its own part of this.
#![allow(dead_code, unused_imports)]

mod account;
mod caller;
mod certificate;
mod echo;
pub mod http2;
mod memory_limit;
mod page;
mod program;
mod proxy;
mod slow;
mod upstream;
mod world;

pub use account::{Account, EMAIL, PASSWORD};
pub use caller::Caller;
pub use certificate::certificate;
pub use echo::Echo;
pub use memory_limit::{MIB, MemoryLimit};
pub use page::{Page, replace};
pub use program::{Metrics, Program, Spawn, hide_variables, keygate, run, run_with, signal};
pub use proxy::{Proxy, free_port, write};
pub use slow::{Slow, Sockets, raise_open_files};
pub use upstream::Upstream;
pub use world::World;

use std::time::{Duration, Instant};

/// What `Connection` says for the express lane to serve a request, and for the HTTP library to.
pub const LANES: [&str; 2] = ["keep-alive", "close"];

/// Asks again and again until the answer is yes; fails after 20 seconds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "it never came about: {what}");
        tokio::task::yield_now().await;
    }
}

/// Small random numbers for choosing what to do next; printed seeds make a run repeatable.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// A place in a list of this length.
    pub fn pick(&mut self, length: usize) -> usize {
        let place = self.roll(u64::try_from(length).expect("a short list"));
        usize::try_from(place).expect("a short list")
    }
}
