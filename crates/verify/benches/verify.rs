//! What deciding about one request costs in process: from its headers to the decision.
//!
//! The keys are all in the cache. 10,000 are in rotation; a million are asked for at random, which is
//! what a processor's own caches do not like.

mod world;

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use keygate_core::{
    OsRandom,
    key::{KeyFormat, KeyHasher},
};

use world::World;

/// How long it takes to verify so many keys, one after the other.
fn time(world: &World, keys: u64) -> Duration {
    let mut time = Duration::ZERO;
    let mut place = 0;
    for left in (0..keys).step_by(BATCH).map(|done| keys - done) {
        let requests = (0..left.min(BATCH as u64)).map(|_| {
            place += STRIDE;
            world.request(place)
        });
        let requests: Vec<_> = requests.collect();
        let began = Instant::now();
        for headers in &requests {
            // A cached key is decided about without waiting.
            let _ = black_box(world.verify(headers).now_or_never());
        }
        time += began.elapsed();
    }
    time
}

/// How many requests are made at once, so that making them is not measured.
const BATCH: usize = 32;
/// From one key to the next: far away, and coprime to how many there are.
const STRIDE: usize = 374_513;

fn cached(bench: &mut Criterion) {
    for count in [10_000, 1_000_000] {
        let world = World::with_keys(count);
        bench.bench_function(&format!("{count} cached keys"), |bencher| {
            bencher.iter_custom(|keys| time(&world, keys));
        });
        bench.bench_function(&format!("{count} cached keys, two cores"), |bencher| {
            bencher.iter_custom(|keys| {
                thread::scope(|scope| {
                    let other = scope.spawn(|| time(&world, keys));
                    time(&world, keys).max(other.join().expect("no panic"))
                })
            });
        });
    }
}

/// The one step that cannot be spared.
fn hash(bench: &mut Criterion) {
    let key = KeyFormat::default().generate(&OsRandom);
    let hashing = KeyHasher::default();
    bench.bench_function("SHA-256 of a key", |bencher| {
        bencher.iter(|| hashing.hash(black_box(key.expose())));
    });
}

criterion_group!(benches, hash, cached);
criterion_main!(benches);
