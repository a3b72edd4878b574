/// Where `cargo xtask bench` has cargo put what counts instructions.
pub(crate) const GUNGRAUN_RUNNER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/bench-tools/bin/gungraun-runner"
);

/// Where `cargo xtask bench` has cargo put it.
pub(crate) const OHA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench-tools/bin/oha");
