//! The pages for contributors name files and folders, which exist.

use std::{fs, path::Path};

const PAGES: [(&str, &str); 3] = [
    (
        "CONTRIBUTING.md",
        include_str!("../../../../CONTRIBUTING.md"),
    ),
    (
        "ARCHITECTURE.md",
        include_str!("../../../../ARCHITECTURE.md"),
    ),
    (
        "docs/decisions.md",
        include_str!("../../../../docs/decisions.md"),
    ),
];

/// How the names of the repository's files end.
const ENDINGS: [&str; 9] = [
    ".rs", ".md", ".toml", ".sql", ".html", ".py", ".json", ".js", ".css",
];

/// What is not of the repository: what is built, and what version control keeps.
const NOT_OURS: [&str; 2] = ["target", ".git"];

/// All files and folders below this one, by their paths from the repository's root.
fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if NOT_OURS.contains(&&*name) {
            continue;
        }
        let relative = path.strip_prefix(root).expect("it is below");
        found.push(format!("/{}", relative.display()));
        if path.is_dir() {
            walk(&path, root, found);
        }
    }
}

/// Whether words in backticks are a path. What begins with a slash is one of HTTP.
fn is_path(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    text.chars().all(is_plain)
        && !text.starts_with(['/', '.'])
        && (text.contains('/') || ENDINGS.iter().any(|ending| text.ends_with(ending)))
}

#[test]
fn every_path_that_the_pages_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    for (page, text) in PAGES {
        let prose: String = text.split("```").step_by(2).collect();
        let quoted = prose.split('`').skip(1).step_by(2);
        let paths: Vec<_> = quoted.filter(|text| is_path(text)).collect();
        assert!(paths.len() > 10, "{page} names only {paths:?}");
        for path in paths {
            let end = format!("/{}", path.trim_end_matches('/'));
            let exists = found.iter().any(|found| found.ends_with(&end));
            assert!(exists, "{page}: there is no {path}");
        }
    }
}
