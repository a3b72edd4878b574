//! Times are those of the reader.

use crate::{browser::Options, person::Scene};

#[tokio::test(flavor = "multi_thread")]
async fn days_end_when_they_end_for_the_reader() {
    for (timezone, expected, zone) in [
        ("Asia/Tokyo", "2099-01-31T14:59:59.999Z", "GMT+9"),
        ("America/New_York", "2099-02-01T04:59:59.999Z", "GMT-5"),
    ] {
        let options = Options {
            timezone: Some(timezone),
            ..Options::default()
        };
        let Scene { ada, .. } = &Scene::open(options).await;
        let browser = &ada.browser;
        browser.goto("/keys/new").await;
        browser.fill("Name", "dated").await;
        let last_moment = "const now = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' });
            return [now.format(Date.now() + 7 * 86_400_000), document.querySelector('[data-last-moment]').textContent];";
        browser.fill("Expires", "In 7 days").await;
        let said = browser.script(last_moment).await;
        let (day, said) = (&said[0], &said[1]);
        let (day, said) = (day.as_str().expect("text"), said.as_str().expect("text"));
        assert!(
            said.starts_with(&format!("Expires {day}")),
            "{said}, not {day}"
        );
        browser.fill("Expires", "On a date").await;
        assert_eq!(browser.script(last_moment).await[1], "");
        browser.fill("Last day", "2099-01-31").await;
        browser.click("Create key").await;
        browser.see("31 Jan 2099").await;
        browser.click("Copy key").await;
        browser.click("Done, I have copied it").await;
        browser.see("History").await;
        let end =
            browser.script("return [...document.querySelectorAll('.facts time')].at(-1).dateTime");
        assert_eq!(end.await, expected);
        let title =
            browser.script("return [...document.querySelectorAll('.facts time')].at(-1).title");
        assert_eq!(title.await, format!("31 Jan 2099, 23:59 {zone}"));
        ada.nothing_was_amiss().await;
    }
}
