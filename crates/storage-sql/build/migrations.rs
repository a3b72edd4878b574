//! Finds an engine's migrations in its folder, for the build scripts of the engines.

use std::{env, fs, path::Path};

/// Writes `migrations.rs`, an array of the texts of the files in `migrations/`, in the order of their numbers.
pub(crate) fn list() {
    println!("cargo::rerun-if-changed=migrations");
    let folder =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo runs this")).join("migrations");
    let files = fs::read_dir(&folder).expect("the folder is there");
    let mut paths: Vec<_> = files
        .map(|file| file.expect("it can be read").path())
        .collect();
    paths.sort();
    for (path, number) in paths.iter().zip(1..) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let begin = format!("{number:04}_");
        assert!(
            name.starts_with(&begin),
            "{name} does not begin with {begin}"
        );
    }
    let texts: Vec<_> = paths
        .iter()
        .map(|path| format!("include_str!(r#\"{}\"#)", path.display()))
        .collect();
    let target = Path::new(&env::var("OUT_DIR").expect("cargo runs this")).join("migrations.rs");
    fs::write(target, format!("[{}]", texts.join(", "))).expect("the folder can be written to");
}
