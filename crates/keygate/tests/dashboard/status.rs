//! The status page with a past, and the pages on which admins write it.

use keygate_core::{Clock, ComponentId, SystemClock};
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
    let own = [
        ComponentId::management_api(),
        ComponentId::data_plane(),
        ComponentId::storage(),
    ];
    let upstreams = (0..count).map(|index| ComponentId::upstream(&path(index)));
    let components: Vec<ComponentId> = own.into_iter().chain(upstreams).collect();
    let database = program.data().join("keygate.db");
    fill_status(&database, &components, SystemClock.now());
    program.restart_with(|spawn| spawn.status_interval = Some("30s"))
}

fn incident(program: &Program, args: &[&str]) {
    let done = program.cli(&[&["incident"], args].concat(), "");
    assert!(done.status.success(), "{done:?}");
}

/// Incidents in each state, with text that a page must bear.
fn fill_incidents(program: &Program) {
    let long = "<b>Bold</b> words, & lines of text that goes on.\n".repeat(6);
    incident(
        program,
        &[
            "post",
            "--title",
            "Certificates had expired",
            "--message",
            &long,
            "--state",
            "resolved",
        ],
    );
    let title = "x".repeat(120);
    incident(
        program,
        &[
            "post",
            "--title",
            &title,
            "--message",
            &title,
            "--state",
            "resolved",
        ],
    );
    incident(
        program,
        &[
            "post",
            "--title",
            "Slow answers",
            "--message",
            "We are looking for the reason.",
            "--component",
            "data_plane",
            "--component",
            "upstream:/v1/0",
        ],
    );
    incident(
        program,
        &[
            "schedule",
            "--title",
            "New disks",
            "--message",
            "No key can be created for some minutes.",
            "--component",
            "storage",
            "--starts-at",
            "2999-01-01T02:00:00Z",
            "--ends-at",
            "2999-01-01T04:00:00Z",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_is_fit_to_be_seen() {
    let upstream = Upstream::start().await;
    let program = program_with_a_past(&upstream, 1).await;
    let somebody = Person::at(&program, Options::default()).await;
    somebody.browser.goto("/status").await;
    somebody.browser.see("Everything works.").await;
    look(&somebody.browser, "status").await;
    let program = program_with_a_past(&upstream, UPSTREAMS.len()).await;
    let somebody = Person::at(&program, Options::default()).await;
    let browser = &somebody.browser;
    fill_incidents(&program);
    browser.disable_cache().await;
    browser.goto("/status").await;
    browser
        .see("There is trouble with Data plane and Chat.")
        .await;
    let open = "document.querySelectorAll('details.incident').forEach(one => one.open = true);\
        document.querySelector('.component details').open = true";
    browser.script(open).await;
    look(browser, "status-full").await;
    somebody.nothing_was_amiss().await;
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
            "There is trouble with Data plane and Chat.",
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
        browser.click("Figures of Storage").await;
        browser.see("Last probed").await;
        somebody.nothing_was_amiss().await;
    }
}

/// Posts an incident.
async fn post(browser: &Browser) {
    browser.goto("/admin/incidents").await;
    browser.click("Post an incident").await;
    browser.fill("Title", "Slow <i>answers</i>").await;
    browser.fill("What is said of it", "We look.").await;
    browser.check("Storage", true).await;
    browser.click("Post").await;
    browser.see("It is on the status page.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_posts_and_resolves_an_incident() {
    for options in BOTH_WAYS {
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
        browser.fill("What there is to say", "It is over.").await;
        browser.fill("How far it is", "resolved").await;
        browser.click("Say so").await;
        browser.see("The status page says so.").await;
        browser.goto("/status").await;
        browser.see("Everything works.").await;
        ada.nothing_was_amiss().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_about_incidents_are_fit_to_be_seen() {
    let Scene { program, ada, .. } = &Scene::open(Options::default()).await;
    let browser = &ada.browser;
    visit(browser, "/admin/incidents", "incidents-none").await;
    incident(
        program,
        &[
            "post",
            "--title",
            "Certificates had expired",
            "--message",
            "They are new.",
            "--state",
            "resolved",
        ],
    );
    incident(
        program,
        &[
            "post",
            "--title",
            &"x".repeat(120),
            "--message",
            &"y".repeat(200),
        ],
    );
    incident(
        program,
        &[
            "schedule",
            "--title",
            "New disks",
            "--message",
            "Soon.",
            "--starts-at",
            "2999-01-01T02:00:00Z",
            "--ends-at",
            "2999-01-01T04:00:00Z",
        ],
    );
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
