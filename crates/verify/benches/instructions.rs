//! How many instructions deciding about one request takes, by callgrind: a figure without noise.

#![expect(missing_docs, reason = "what the harness's macros make has none")]

mod world;

use std::hint::black_box;

use futures_util::FutureExt;
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::HeaderMap;
use keygate_core::{
    OsRandom,
    key::{KeyFormat, KeyHash, KeyHasher, KeySecret},
};

use world::World;

/// A world of so many keys that has just seen one of them, and a request with it.
fn seen(keys: usize) -> (World, HeaderMap) {
    let world = World::with_keys(keys);
    let request = world.request(0);
    verify((&world, &request));
    (world, request)
}

fn verify((world, request): (&World, &HeaderMap)) {
    let decided = world.verify(request).now_or_never();
    black_box(decided.expect("a cached key is decided about without waiting"))
        .expect("it is known");
}

#[library_benchmark]
#[bench::of_a_thousand(args = (1_000), setup = seen)]
fn cached_key((world, request): (World, HeaderMap)) -> (World, HeaderMap) {
    verify((&world, &request));
    // Not dropped here, which would count.
    (world, request)
}

fn secret() -> (KeyHasher, KeySecret) {
    (
        KeyHasher::default(),
        KeyFormat::default().generate(&OsRandom),
    )
}

#[library_benchmark]
#[bench::sha256(setup = secret)]
fn hash((hasher, secret): (KeyHasher, KeySecret)) -> KeyHash {
    hasher.hash(black_box(secret.expose()))
}

library_benchmark_group!(name = engine; benchmarks = hash, cached_key);
main!(library_benchmark_groups = engine);
