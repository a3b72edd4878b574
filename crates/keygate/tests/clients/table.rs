//! The table of `docs/clients.md`.

use std::path::Path;

use crate::{Client, HERE, REFUSALS, Said};

const BEGIN: &str = "<!-- made by the tests: cargo xtask docs clients -->\n";
const END: &str = "<!-- end -->\n";

/// A client's row.
pub(crate) fn row(client: &Client, said: &Said) -> String {
    let exceptions = said
        .refusals
        .iter()
        .map(|exception| format!("`{}`", exception.class));
    let exceptions: Vec<_> = exceptions.collect();
    let shows_id = said
        .refusals
        .iter()
        .all(|exception| exception.request_id.is_some());
    let id = if shows_id { "yes" } else { "no" };
    let (name, version) = (client.name, &said.version);
    format!("| {name} | {version} | {} | {id} |", exceptions.join(" | "))
}

/// Compares the page with these rows, or writes them where that is asked for.
pub(crate) fn check(rows: &[String]) {
    let headings = REFUSALS
        .iter()
        .map(|refusal| format!("{} ({})", refusal.heading, refusal.status));
    let headings: Vec<_> = headings.collect();
    let line = "|---".repeat(headings.len() + 3);
    let table = format!(
        "| client | version | {} | shows the request's id |\n{line}|\n{}\n",
        headings.join(" | "),
        rows.join("\n")
    );
    let file = Path::new(HERE).join("../../docs/clients.md");
    let page = std::fs::read_to_string(&file).expect("the page is there");
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("it has a place for the table");
    let (stands, after) = rest.split_once(END).expect("the place ends");
    if std::env::var_os("KEYGATE_WRITE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).expect("written");
    } else {
        assert_eq!(stands, table, "write it anew: cargo xtask docs clients");
    }
}
