//! The status page with a past, and the pages on which admins write it.

use keygate_core::{Clock, SystemClock};
use keygate_storage_sqlite::testing::fill_status;

use crate::{
    browser::{Browser, Options},
    person::{BOTH_WAYS, Person, Scene, setup_link},
    support::{Account, EMAIL, Program, Spawn, Upstream},
    tour::{look, visit},
};

/// Upstreams beside keygate's own three components.
pub const UPSTREAMS: [&str; 7] = [
    "Chat",
    "Speech",
    "Images",
    "Embeddings",
    "Moderation",
    "Reranking",
    "Fine-tuning, whose name is as long as the name may be, 60 ch",
];

fn config(upstream: &str, count: usize) -> String {
    let section = |(index, name): (usize, &&str)| {
        format!(
            "[[upstream]]\npath = \"{}\"\nurl = \"{upstream}\"\nname = \"{name}\"\n",
            path(index)
        )
    };
    let sections = UPSTREAMS[..count].iter().enumerate();
    sections.map(section).collect()
}

fn path(index: usize) -> String {
    format!("/v1/{index}")
}

/// A program that has been probed for 90 days, with so many upstreams, and which has an account.
pub async fn program_with_a_past(upstream: &Upstream, count: usize) -> Program {
    let mut program = Program::start(Spawn {
        config: Some(config(&upstream.url(), count)),
        ..Spawn::default()
    });
    Account::create(&program).await;
    assert!(program.terminate().success());
    let upstreams: Vec<String> = (0..count).map(path).collect();
    let database = program.data().join("keygate.db");
    fill_status(&database, &upstreams, SystemClock.now());
    program.restart_with(|spawn| spawn.status_interval = Some("30s"))
}

/// An operator's command about incidents, with a title and a message.
fn command(program: &Program, name: &str, title: &str, message: &str, more: &[&str]) {
    let args = ["incident", name, "--title", title, "--message", message];
    let done = program.cli(&[&args, more].concat(), "");
    assert!(done.status.success(), "{done:?}");
}

fn post_by_command(program: &Program, title: &str, message: &str, more: &[&str]) {
    command(program, "post", title, message, more);
}

fn schedule_new_disks(program: &Program, message: &str, more: &[&str]) {
    let times = [
        "--starts-at",
        "2999-01-01T02:00:00Z",
        "--ends-at",
        "2999-01-01T04:00:00Z",
    ];
    let more = [&times, more].concat();
    command(program, "schedule", "New disks", message, &more);
}

const OVER: [&str; 2] = ["--state", "resolved"];

/// Incidents in each state, with text that a page must bear.
fn fill_incidents(program: &Program) {
    let long = "<b>Bold</b> words, & lines of text that goes on.\n".repeat(6);
    post_by_command(program, "Certificates had expired", &long, &OVER);
    let title = "x".repeat(120);
    post_by_command(program, &title, &title, &OVER);
    let components = ["--component", "data_plane", "--component", "upstream:/v1/0"];
    let message = "We are looking for the reason.";
    post_by_command(program, "Slow answers", message, &components);
    let message = "No key can be created for some minutes.";
    schedule_new_disks(program, message, &["--component", "storage"]);
}

pub async fn the_status_page(options: Options) {
    let upstream = Upstream::start().await;
    let program = program_with_a_past(&upstream, 1).await;
    let somebody = Person::at(&program, options).await;
    somebody.browser.goto("/status").await;
    somebody.browser.see("All systems operational.").await;
    look(&somebody.browser, "status").await;
    let program = program_with_a_past(&upstream, UPSTREAMS.len()).await;
    let somebody = Person::at(&program, options).await;
    let browser = &somebody.browser;
    fill_incidents(&program);
    browser.disable_cache().await;
    browser.goto("/status").await;
    browser.see("Data plane and Chat have problems.").await;
    let open = "document.querySelectorAll('details.incident').forEach(one => one.open = true);\
        document.querySelector('.component details').open = true";
    browser.script(open).await;
    look(browser, "status-full").await;
    somebody.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_is_fit_to_be_seen() {
    the_status_page(Options::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_about_incidents_are_fit_to_be_seen() {
    pages_about_incidents(Options::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_needs_no_scripts() {
    let upstream = Upstream::start().await;
    let program = program_with_a_past(&upstream, UPSTREAMS.len()).await;
    fill_incidents(&program);
    for phone in [false, true] {
        let options = Options {
            javascript: false,
            phone,
            ..Options::default()
        };
        let somebody = Person::at(&program, options).await;
        let browser = &somebody.browser;
        browser.goto("/status").await;
        for text in [
            "Data plane and Chat have problems.",
            "Slow answers",
            "New disks",
            "99.",
            "Past incidents",
        ] {
            browser.see(text).await;
        }
        assert!(
            !browser.text().await.contains("Bold"),
            "what is over is folded"
        );
        browser.click("Certificates had expired resolved").await;
        browser
            .see("<b>Bold</b> words, & lines of text that goes on.")
            .await;
        browser.click("Details of Storage").await;
        browser.see("Last probed").await;
        somebody.nothing_was_amiss().await;
    }
}

/// Posts an incident.
async fn post(browser: &Browser) {
    browser.goto("/admin/incidents").await;
    browser.click("Post an incident").await;
    browser.fill("Title", "Slow <i>answers</i>").await;
    browser.fill("Message", "We look.").await;
    browser.check("Storage", true).await;
    browser.click("Post").await;
    browser.see("Posted on the status page.").await;
}

pub async fn an_incident_is_posted_and_resolved(options: Options) {
    let upstream = Upstream::start().await;
    let program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        status_interval: Some("30s"),
        ..Spawn::default()
    });
    let ada = Person::at(&program, options).await;
    ada.sign_up(&setup_link(&program), EMAIL).await;
    let browser = &ada.browser;
    browser.disable_cache().await;
    post(browser).await;
    browser.goto("/status").await;
    browser.see("Slow <i>answers</i>").await;
    browser.see("Storage").await;
    browser.goto("/admin/incidents").await;
    browser.click("Slow <i>answers</i>").await;
    browser.fill("Message", "It is over.").await;
    browser.fill("Status", "resolved").await;
    browser.click("Post update").await;
    browser.see("The update is on the status page.").await;
    browser.goto("/status").await;
    browser.see("All systems operational.").await;
    ada.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_posts_and_resolves_an_incident() {
    for options in BOTH_WAYS {
        an_incident_is_posted_and_resolved(options).await;
    }
}

pub async fn pages_about_incidents(options: Options) {
    let Scene { program, ada, .. } = &Scene::open(options).await;
    let browser = &ada.browser;
    visit(browser, "/admin/incidents", "incidents-none").await;
    post_by_command(program, "Certificates had expired", "They are new.", &OVER);
    post_by_command(program, &"x".repeat(120), &"y".repeat(200), &[]);
    schedule_new_disks(program, "Soon.", &[]);
    visit(browser, "/admin/incidents", "incidents").await;
    visit(browser, "/admin/incidents/new", "new-incident").await;
    visit(browser, "/admin/maintenance/new", "new-maintenance").await;
    browser.goto("/admin/incidents").await;
    browser.click("New disks").await;
    look(browser, "incident-maintenance").await;
    browser.goto("/admin/incidents").await;
    browser.click("Certificates had expired").await;
    browser.fill("Title", " ").await;
    browser.click("Save").await;
    browser.see("Must not be empty.").await;
    look(browser, "incident-refused").await;
    ada.nothing_was_amiss().await;
}
