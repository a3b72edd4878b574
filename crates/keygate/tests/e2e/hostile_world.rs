//! The page on a hostile world names tests, which exist.

use std::{fs, path::Path};

const PAGE: &str = include_str!("../../../../docs/hostile-world.md");

/// How the page shortens paths.
const SHORT: [(&str, &str); 3] = [
    ("keygate/", "keygate/tests/"),
    ("web/", "web/tests/routes/"),
    ("storage/", "storage/src/conformance/"),
];

/// The file that a path of the page means: as the page says it, or below `crates` as it stands.
fn source(path: &str) -> Option<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let short = SHORT
        .iter()
        .find_map(|(short, long)| Some(format!("{long}{}", path.strip_prefix(short)?)));
    let candidates = short.into_iter().chain([path.to_owned()]);
    let mut sources = candidates.filter_map(|path| fs::read_to_string(crates.join(path)).ok());
    sources.next()
}

/// Whether this function is there and is run as a test, by itself or as one of the storage's suite.
fn is_test(path: &str, name: &str) -> bool {
    let Some(source) = source(path) else {
        return false;
    };
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else {
        return false;
    };
    let attributes = before.rsplit("\n\n").next().expect("the lines above");
    attributes.contains("#[test]")
        || attributes.contains("#[tokio::test")
        || is_in_suite(path, name)
}

fn is_in_suite(path: &str, name: &str) -> bool {
    let suite = include_str!("../../../storage/src/conformance.rs");
    path.starts_with("storage/") && suite.lines().any(|line| line.trim() == name)
}

/// The lines of the table: number and cells.
fn rows() -> impl Iterator<Item = (u32, Vec<&'static str>)> {
    PAGE.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split('|').map(str::trim).collect();
        Some((cells[0].parse().ok()?, cells))
    })
}

#[test]
fn every_test_that_the_page_names_exists() {
    for (number, cells) in rows() {
        let named: Vec<_> = cells[2].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "line {number} names no test");
        for test in named {
            let (path, name) = test.split_once("::").expect("a path and a name");
            assert!(is_test(path, name), "line {number}: there is no {test}");
        }
    }
}

#[test]
fn its_lines_are_whole_and_in_order() {
    let mut before = 0;
    for (number, cells) in rows() {
        assert!(number > before, "{number} comes after {before}");
        assert!(!cells[1].is_empty() && !cells[3].is_empty(), "{number}");
        before = number;
    }
}
