use keygate_core::{Clock, Timestamp};
use serde_json::Value;

use crate::support::{Answer, START, TestApp, encoded};

async fn form_id(app: &TestApp, cookie: &str) -> String {
    let form = app.get("/keys/new").cookie(cookie).send().await;
    assert_eq!(form.status, 200, "{form}");
    form.value("id")
}

async fn create(app: &TestApp, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let call = app.post("/keys/new").cookie(cookie).form(&encoded(fields));
    call.send().await
}

async fn change(app: &TestApp, cookie: &str, id: &str, fields: &[(&str, &str)]) -> Answer {
    let call = app.post(&format!("/keys/{id}")).cookie(cookie);
    call.form(&encoded(fields)).send().await
}

fn ids(keys: &Value) -> Vec<&str> {
    let keys = keys.as_array().expect("an array").iter();
    keys.map(|key| key["id"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_key() {
    let (app, cookie) = TestApp::signed_in().await;
    let form = form_id(&app, &cookie).await;
    let fields = [
        ("id", &*form),
        ("name", "CI"),
        ("scopes", "chat"),
        ("expires", "7"),
    ];
    let created = create(&app, &cookie, &fields).await;
    assert_eq!(created.status, 201, "{created}");
    assert!(created.body.contains("ask_"));
    let keys = app.all_keys(&cookie).await;
    assert_eq!(keys[0]["expires_at"], "2026-06-17T08:00:00.000Z");
    let id = ids(&keys)[0];
    let page = format!("/keys/{id}?done=before");
    for _ in 0..2 {
        let again = create(&app, &cookie, &fields).await;
        assert_eq!(again.headers["location"], page.as_str(), "{again}");
    }
    assert_eq!(ids(&app.all_keys(&cookie).await), [id]);
    let again = create(&app, &cookie, &fields).await.cookie();
    let led = app.get(&page).cookie(&format!("{cookie}; {again}"));
    let shown = led.send().await;
    assert!(shown.body.contains("This form was already sent"), "{shown}");
    assert!(
        shown
            .body
            .contains("Later changes to the form are not saved"),
        "{shown}"
    );
    // Whoever makes a link has it say nothing.
    let shown = app.get(&page).cookie(&cookie).send().await;
    assert!(
        !shown.body.contains("This form was already sent"),
        "{shown}"
    );
    let path = format!("/api/keys/{id}");
    app.delete(&path).cookie(&cookie).send().await;
    let again = create(&app, &cookie, &fields).await;
    assert_eq!(again.status, 303, "also when it is gone");
    assert_eq!(ids(&app.all_keys(&cookie).await), [""; 0]);
}

#[tokio::test]
async fn a_form_works_for_a_day() {
    let (app, cookie) = TestApp::signed_in().await;
    let form = form_id(&app, &cookie).await;
    let send = async |form: &str| {
        let fields = [
            ("id", form),
            ("name", "CI"),
            ("scopes", "chat"),
            ("expires", "never"),
        ];
        create(&app, &cookie, &fields).await.status
    };
    for odd in [
        "",
        "x",
        "0197593d-1c00-7000-8000-000000000000",
        "019eb08b-9c00-4000-8000-000000000001",
        "ffffffff-ffff-7fff-bfff-ffffffffffff",
    ] {
        assert_eq!(send(odd).await, 400, "{odd}");
    }
    assert_eq!(send(&form).await, 201);
}

#[tokio::test]
async fn a_key_of_an_old_form_is_the_newest() {
    let (app, cookie) = TestApp::signed_in().await;
    let form = form_id(&app, &cookie).await;
    app.clock.advance_millis(1_000);
    app.key(&cookie, r#"{"name":"meanwhile"}"#).await;
    app.clock.advance_millis(1_000);
    let fields = [
        ("id", &*form),
        ("name", "at last"),
        ("scopes", "chat"),
        ("expires", "never"),
    ];
    assert_eq!(create(&app, &cookie, &fields).await.status, 201);
    assert_eq!(app.all_keys(&cookie).await[0]["name"], "at last");
}

#[tokio::test]
async fn each_field_says_what_is_wrong_and_keeps_what_was_typed() {
    let (app, cookie) = TestApp::signed_in().await;
    let id = form_id(&app, &cookie).await;
    let fields = [("id", &*id), ("name", " "), ("expires", "date")];
    let refused = create(&app, &cookie, &fields).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.error("name"), "Must not be empty.");
    assert_eq!(refused.error("scopes"), "Select at least one.");
    assert_eq!(refused.error("expires_at"), "Needs a date.");
    let fields = [
        ("id", &*id),
        ("name", "<b>"),
        ("scopes", "read"),
        ("expires", "date"),
        ("date", "2026-06-09"),
    ];
    let past = create(&app, &cookie, &fields).await;
    assert_eq!(past.error("expires_at"), "Must be in the future.");
    assert_eq!(past.value("name"), "<b>");
    assert_eq!(past.checked(), ["read"]);
    assert_eq!(past.value("date"), "2026-06-09");
    let admin = [
        ("id", &*id),
        ("name", "a"),
        ("scopes", "admin"),
        ("expires", "never"),
    ];
    assert!(
        !create(&app, &cookie, &admin)
            .await
            .error("scopes")
            .is_empty()
    );
    assert!(!app.audited().await.contains(&"key.issue".to_owned()));
}

#[tokio::test]
async fn the_last_day_ends_in_utc_unless_a_script_knows_better() {
    let (app, cookie) = TestApp::signed_in().await;
    for (exact, expected) in [
        ("", "2027-01-31T23:59:59.999Z"),
        ("2027-02-01T04:59:59.999Z", "2027-02-01T04:59:59.999Z"),
    ] {
        let form = form_id(&app, &cookie).await;
        let fields = [
            ("id", &*form),
            ("name", "a"),
            ("scopes", "chat"),
            ("expires", "date"),
            ("date", "2027-01-31"),
            ("expires_at", exact),
        ];
        assert_eq!(create(&app, &cookie, &fields).await.status, 201);
        assert_eq!(app.all_keys(&cookie).await[0]["expires_at"], expected);
        app.clock.advance_millis(1);
    }
}

#[tokio::test]
async fn a_key_that_ends_within_a_week_stands_out() {
    let (app, cookie) = TestApp::signed_in().await;
    let form = form_id(&app, &cookie).await;
    let fields = [
        ("id", &*form),
        ("name", "a"),
        ("scopes", "chat"),
        ("expires", "7"),
    ];
    assert_eq!(create(&app, &cookie, &fields).await.status, 201);
    let id = app.all_keys(&cookie).await[0]["id"].clone();
    let of_key = format!("/keys/{}", id.as_str().expect("an id"));
    for stands_out in [false, true] {
        for (path, mark) in [("/keys", "wide soon"), (&*of_key, "class=\"soon\"")] {
            let page = app.get(path).cookie(&cookie).send().await;
            assert_eq!(page.body.contains(mark), stands_out, "{path}: {page}");
        }
        app.clock.advance_millis(1);
    }
}

#[tokio::test]
async fn the_eleventh_is_refused_above_the_form() {
    let (app, cookie) = TestApp::signed_in().await;
    for index in 0..10 {
        app.key(&cookie, &format!(r#"{{"name":"{index}"}}"#)).await;
    }
    let id = form_id(&app, &cookie).await;
    let fields = [
        ("id", &*id),
        ("name", "11"),
        ("scopes", "chat"),
        ("expires", "7"),
    ];
    let refused = create(&app, &cookie, &fields).await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("10 active API keys"), "{refused}");
    let list = app.get("/keys").cookie(&cookie).send().await;
    assert!(list.body.contains("10 of 10 active keys used"), "{list}");
    assert!(!list.body.contains("href=\"/keys/new\""), "{list}");
}

#[tokio::test]
async fn the_list_is_searched_filtered_and_sorted() {
    let (app, cookie) = TestApp::signed_in().await;
    for name in ["beta", "Alpha", "gamma ray"] {
        app.clock.advance_millis(1_000);
        app.key(&cookie, &format!(r#"{{"name":"{name}"}}"#)).await;
    }
    let off = app.key(&cookie, r#"{"name":"off"}"#).await;
    let id = off["id"].as_str().expect("text");
    let path = format!("/api/keys/{id}");
    app.patch(&path)
        .cookie(&cookie)
        .json(r#"{"is_active":false}"#)
        .send()
        .await;
    let names = async |query: &str| {
        let page = app
            .get(&format!("/keys{query}"))
            .cookie(&cookie)
            .send()
            .await;
        let links = page.body.split("<a href=\"/keys/0").skip(1);
        links
            .filter_map(|link| Some(link.split_once('>')?.1.split_once('<')?.0.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["gamma ray", "Alpha", "beta"]);
    assert_eq!(names("?sort=name").await, ["Alpha", "beta", "gamma ray"]);
    assert_eq!(names("?sort=-name").await, ["gamma ray", "beta", "Alpha"]);
    assert_eq!(names("?search=AL").await, ["Alpha"]);
    assert_eq!(names("?status=inactive").await, ["off"]);
    assert_eq!(
        names("?status=all&sort=created")
            .await
            .last()
            .map(String::as_str),
        Some("off")
    );
    assert_eq!(names("?status=expired").await, [""; 0]);
    assert_eq!(names("?status=odd&sort=odd&page=odd").await.len(), 3);
    assert_eq!(names("?page=18446744073709551615").await, [""; 0]);
}

#[tokio::test]
async fn a_key_is_switched_in_the_list_which_is_shown_again() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"CI & co"}"#).await;
    let id = key["id"].as_str().expect("text");
    let list = async |query: &str| {
        app.get(&format!("/keys?{query}"))
            .cookie(&cookie)
            .send()
            .await
    };
    let shown = list("search=ci+%26&status=all").await;
    assert!(shown.body.contains("Actions for CI &#38; co"), "{shown}");
    assert!(
        shown.body.contains(&format!("href=\"/keys/{id}#revoke\"")),
        "{shown}"
    );
    let here = shown.value("list");
    for (what, said) in [("off", "is deactivated"), ("on", "is activated")] {
        let shown = list("search=ci+%26&status=all").await;
        assert!(shown.body.contains(&format!("value=\"{what}\"")), "{shown}");
        let done = change(&app, &cookie, id, &[("do", what), ("list", &here)]).await;
        let next = format!("/keys?status=all&sort=-created&search=ci+%26&done={what}");
        assert_eq!(done.headers["location"], next.as_str(), "{done}");
        let led = app
            .get(&next)
            .cookie(&format!("{cookie}; {}", done.cookie()));
        let led = led.send().await;
        assert!(led.body.contains(said), "{led}");
    }
    // One is led to the list, whatever stands in the form.
    let fields = [("do", "off"), ("list", "//evil.example/?status=inactive")];
    let done = change(&app, &cookie, id, &fields).await;
    let next = "/keys?status=inactive&sort=-created&done=off";
    assert_eq!(done.headers["location"], next, "{done}");
}

#[tokio::test]
async fn a_key_is_renamed_switched_and_revoked() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"before"}"#).await;
    let id = key["id"].as_str().expect("text");
    let shown = async || {
        let key = app
            .get(&format!("/api/keys/{id}"))
            .cookie(&cookie)
            .send()
            .await;
        key.json()
    };
    let fields = [("do", "change"), ("name", "after"), ("scopes", "admin")];
    let changed = change(&app, &cookie, id, &fields).await;
    let page = format!("/keys/{id}?done=changed");
    assert_eq!(changed.headers["location"], page.as_str(), "{changed}");
    assert_eq!(
        (&shown().await["name"], &shown().await["scopes"][0]),
        (&"after".into(), &"admin".into())
    );
    for (what, is_active) in [("off", false), ("on", true)] {
        change(&app, &cookie, id, &[("do", what)]).await;
        assert_eq!(shown().await["is_active"], is_active);
    }
    let refused = change(&app, &cookie, id, &[("do", "change"), ("name", "\u{7}")]).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.error("scopes"), "Select at least one.");
    assert!(!refused.error("name").is_empty());
    app.use_key(id, START).await;
    let wrong = change(
        &app,
        &cookie,
        id,
        &[("do", "revoke"), ("confirm", "before")],
    )
    .await;
    assert!(!wrong.error("confirm").is_empty(), "{wrong}");
    assert_eq!(
        change(&app, &cookie, id, &[("do", "fly")]).await.status,
        400
    );
    assert_eq!(shown().await["name"], "after");
    let done = change(
        &app,
        &cookie,
        id,
        &[("do", "revoke"), ("confirm", " after ")],
    )
    .await;
    assert_eq!(done.headers["location"], "/keys?done=revoked");
    let gone = app.get(&format!("/keys/{id}")).cookie(&cookie).send().await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn a_key_that_nobody_uses_is_revoked_without_its_name() {
    const WEEK: i64 = 7 * 24 * 3_600_000;
    let (app, cookie) = TestApp::signed_in().await;
    for (used, is_typed) in [(None, false), (Some(WEEK), false), (Some(WEEK - 1), true)] {
        let key = app.key(&cookie, r#"{"name":"old"}"#).await;
        let id = key["id"].as_str().expect("text");
        if let Some(ago) = used {
            let at = Timestamp::from_millis(app.clock.now().as_millis() - ago);
            app.use_key(id, at).await;
        }
        let page = app.get(&format!("/keys/{id}")).cookie(&cookie).send().await;
        assert_eq!(page.body.contains("name to confirm"), is_typed, "{used:?}");
        let answer = change(&app, &cookie, id, &[("do", "revoke")]).await;
        assert_eq!(answer.status == 303, !is_typed, "{used:?}: {answer}");
    }
}

#[tokio::test]
async fn another_accounts_key_is_not_there() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"hers"}"#).await;
    let id = key["id"].as_str().expect("text");
    let eve = app.account("eve@example.com").await;
    let foreign = app.get(&format!("/keys/{id}")).cookie(&eve).send().await;
    let unknown = app.get("/keys/0197593d-1c00-7000-8000-000000000000");
    let unknown = unknown.cookie(&eve).send().await;
    assert_eq!((foreign.status.as_u16(), foreign.body), (404, unknown.body));
    for fields in [
        &[("do", "off")][..],
        &[("do", "revoke"), ("confirm", "hers")],
        &[("do", "change"), ("name", "mine"), ("scopes", "chat")],
    ] {
        assert_eq!(change(&app, &eve, id, fields).await.status, 404);
    }
    assert_eq!(app.all_keys(&cookie).await[0]["name"], "hers");
}

#[tokio::test]
async fn an_expired_key_is_shown_as_such_and_cannot_be_switched_on() {
    let (app, cookie) = TestApp::signed_in().await;
    let end = r#"{"name":"short-lived","expires_at":"2026-06-10T08:00:01.000Z"}"#;
    let key = app.key(&cookie, end).await;
    let id = key["id"].as_str().expect("text");
    app.clock.advance_millis(1_000);
    let page = app.get(&format!("/keys/{id}")).cookie(&cookie).send().await;
    assert!(
        page.body.contains("has expired and no longer works"),
        "{page}"
    );
    let refused = change(&app, &cookie, id, &[("do", "on")]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("has expired"), "{refused}");
    let list = app.get("/keys?status=expired").cookie(&cookie).send().await;
    assert!(list.body.contains("short-lived"), "{list}");
    assert!(list.body.contains("0 of 10 active keys used"), "{list}");
}

#[tokio::test]
async fn a_long_history_is_paged() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"first name"}"#).await;
    let id = key["id"].as_str().expect("text");
    for number in 0..100 {
        let name = format!("name {number}");
        let fields = [("do", "change"), ("name", &*name), ("scopes", "chat")];
        assert_eq!(change(&app, &cookie, id, &fields).await.status, 303);
    }
    let page = app.get(&format!("/keys/{id}")).cookie(&cookie).send().await;
    assert!(page.body.contains("name: name 99<"), "{page}");
    assert!(!page.body.contains("name: first name"), "{page}");
    let links = page.body.split("href=\"").skip(1);
    let mut links = links.filter_map(|link| link.split_once('"'));
    let older = links.find(|(link, _)| link.contains("?before="));
    let (older, _) = older.expect("a link to older entries");
    let older = older.split('#').next().expect("a path");
    let page = app.get(older).cookie(&cookie).send().await;
    assert!(page.body.contains("name: first name"), "{page}");
}

#[tokio::test]
async fn what_a_link_fills_in_is_said_not_to_be_saved() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"CI","scopes":["read"]}"#).await;
    let id = key["id"].as_str().expect("text");
    let link = format!("/keys/{id}?name=CI&scopes=admin&done=changed");
    let page = app.get(&link).cookie(&cookie).send().await;
    assert_eq!(page.checked(), ["admin"]);
    assert!(page.body.contains("are not saved yet"), "{page}");
    assert!(!page.body.contains("The changes are saved."), "{page}");
}

#[tokio::test]
async fn a_name_cannot_pass_for_another_value_in_the_history() {
    let (app, cookie) = TestApp::signed_in().await;
    let body = r#"{"name":"CI · scopes: read","scopes":["write"]}"#;
    let key = app.key(&cookie, body).await;
    let id = key["id"].as_str().expect("text");
    let page = app.get(&format!("/keys/{id}")).cookie(&cookie).send().await;
    for value in ["name: CI · scopes: read", "scopes: write", "never expires"] {
        assert!(page.body.contains(&format!(">{value}</li>")), "{page}");
    }
    assert!(!page.body.contains(">scopes: read</li>"), "{page}");
}

#[tokio::test]
async fn names_are_found_however_their_letters_are_written() {
    let (app, cookie) = TestApp::signed_in().await;
    app.key(&cookie, r#"{"name":"Schl\u00fcssel"}"#).await;
    for search in ["schl%C3%BCss", "SCHLU%CC%88SS", "%EF%BC%B3chl"] {
        let list = app.get(&format!("/keys?search={search}")).cookie(&cookie);
        let list = list.send().await;
        assert!(list.body.contains("Schl\u{fc}ssel"), "{search}: {list}");
    }
}

#[tokio::test]
async fn the_page_of_a_new_key_shows_calls_that_its_scopes_let_through() {
    let (app, cookie) = TestApp::signed_in().await;
    for (scope, calls, clients) in [
        ("chat", &["chat"][..], &["environment", "anthropic"][..]),
        ("read", &["models"], &["environment"]),
        ("write", &[], &["environment"]),
    ] {
        let form = form_id(&app, &cookie).await;
        let fields = [
            ("id", &*form),
            ("name", "a"),
            ("scopes", scope),
            ("expires", "7"),
        ];
        let page = create(&app, &cookie, &fields).await;
        for call in ["chat", "models"] {
            let is_there = calls.contains(&call);
            let form = format!("data-call=\"{call}\"");
            assert_eq!(page.body.contains(&form), is_there, "{scope}: {page}");
            for language in ["curl", "python", "javascript"] {
                let snippet = format!("id=\"{language}-{call}\"");
                assert_eq!(page.body.contains(&snippet), is_there, "{scope}: {page}");
            }
        }
        for client in ["environment", "anthropic"] {
            let is_there = clients.contains(&client);
            let setup = format!("id=\"{client}\"");
            assert_eq!(page.body.contains(&setup), is_there, "{scope}: {page}");
        }
        assert_eq!(
            page.body.contains("try_key.js"),
            !calls.is_empty(),
            "{scope}"
        );
    }
}

#[tokio::test]
async fn pages_of_keys_say_how_clients_are_set_up() {
    let (app, cookie) = TestApp::signed_in().await;
    let list = app.get("/keys").cookie(&cookie).send().await;
    assert!(list.body.contains("/v1</code>"), "{}", list.body);
    let form = app.get("/keys/new").cookie(&cookie).send().await;
    let body = format!("id={}&name=a&scopes=chat&expires=never", form.value("id"));
    let created = app
        .post("/keys/new")
        .cookie(&cookie)
        .form(&body)
        .send()
        .await;
    let secret = created
        .body
        .split("id=\"secret\" tabindex=\"0\">")
        .nth(1)
        .expect("a secret");
    let secret = secret.split('<').next().expect("its end");
    assert!(
        created
            .body
            .contains(&format!("export OPENAI_API_KEY={secret}"))
    );
    let list = app.get("/keys").cookie(&cookie).send().await;
    let link = list
        .body
        .split("href=\"/keys/")
        .find(|rest| !rest.starts_with("new") && rest.contains("</a> <code>"));
    let id = link.expect("a link").split('"').next().expect("its end");
    let page = app.get(&format!("/keys/{id}")).cookie(&cookie).send().await;
    for expected in [
        "ANTHROPIC_AUTH_TOKEN=$KEY",
        "OPENAI_API_KEY=$KEY",
        "apiBase: http",
        "Codex",
    ] {
        assert!(page.body.contains(expected), "{expected}");
    }
    assert!(!page.body.contains(secret));
    let inactive = app
        .get("/keys?status=inactive")
        .cookie(&cookie)
        .send()
        .await;
    assert!(inactive.body.contains("No inactive keys."));
}
