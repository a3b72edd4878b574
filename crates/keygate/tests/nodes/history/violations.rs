//! Histories that cannot have been are found.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    History, MAX_ACTIVE,
    event::{Answer, Event, Operation, Session},
    kept::{Kept, KeptKey},
    record::Entry,
};
use crate::support::PASSWORD;

const ADA: &str = "ada@example.com";
const ROOT: &str = "root@example.com";

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A call that takes ten milliseconds.
fn event(began: u64, node: usize, what: Operation) -> Event {
    Event {
        began: at(began),
        ended: at(began + 10),
        node,
        session: None,
        what,
        answer: Answer::Done,
    }
}

fn refused(event: Event, code: &str) -> Event {
    let answer = Answer::Refused(code.into());
    Event { answer, ..event }
}

fn by(session: Session, event: Event) -> Event {
    let session = Some(session);
    Event { session, ..event }
}

fn change(name: &str, scopes: Option<Vec<&'static str>>, is_active: Option<bool>) -> Operation {
    Operation::Change {
        account: ADA.into(),
        key: "key".into(),
        name: name.into(),
        scopes,
        is_active,
    }
}

fn check(scope: &'static str, status: u16) -> Operation {
    Operation::Check {
        key: "key".into(),
        scope,
        status,
    }
}

fn sign_in(password: &str, begins: Session, id: Option<&str>) -> Operation {
    Operation::SignIn {
        account: ADA.into(),
        password: password.into(),
        begins,
        id: id.map(str::to_owned),
    }
}

fn issue(key: &str) -> Operation {
    Operation::Issue {
        account: ADA.into(),
        name: key.into(),
        scopes: vec!["chat", "read"],
        key: key.into(),
    }
}

fn suspend() -> Operation {
    let (account, by) = (ADA.into(), ROOT.into());
    Operation::Suspend { account, by }
}

fn resume() -> Operation {
    let (account, by) = (ADA.into(), ROOT.into());
    Operation::Resume { account, by }
}

fn link(link: &str, resets: Option<&str>) -> Operation {
    Operation::Link {
        link: link.into(),
        resets: resets.map(str::to_owned),
        by: ROOT.into(),
    }
}

fn withdraw(link: &str) -> Operation {
    Operation::Withdraw {
        link: link.into(),
        resets: None,
        by: ROOT.into(),
    }
}

fn reset(link: &str, password: &str) -> Operation {
    Operation::Reset {
        link: link.into(),
        account: ADA.into(),
        password: password.into(),
    }
}

fn sign_up(link: &str) -> Operation {
    Operation::SignUp {
        link: link.into(),
        account: "grace@example.com".into(),
        password: "new".into(),
    }
}

fn say(message: &str, state: &'static str) -> Operation {
    Operation::Say {
        incident: "incident".into(),
        message: message.into(),
        state,
        by: ROOT.into(),
    }
}

fn read(messages: &[&str]) -> Operation {
    Operation::Read {
        incident: "incident".into(),
        messages: messages.iter().map(|&said| said.to_owned()).collect(),
    }
}

/// Each kind of thing is used, changed and used again, by one after the other.
fn events() -> Vec<Event> {
    let post = Operation::Post {
        incident: "incident".into(),
        message: "one".into(),
        by: ROOT.into(),
    };
    let revoke = Operation::Revoke {
        account: ADA.into(),
        key: "key".into(),
    };
    let sign_out = Operation::SignOut {
        account: ADA.into(),
    };
    vec![
        event(0, 0, sign_in(PASSWORD, 1, Some("first"))),
        by(1, event(20, 0, issue("key"))),
        event(40, 1, check("read", 200)),
        by(1, event(100, 0, change("off", None, Some(false)))),
        event(120, 0, check("read", 401)),
        event(120, 1, check("read", 200)),
        by(1, event(200, 0, change("on", None, Some(true)))),
        by(1, event(220, 0, change("narrow", Some(vec!["chat"]), None))),
        event(240, 0, check("read", 403)),
        event(300, 0, suspend()),
        event(320, 0, check("chat", 403)),
        by(
            1,
            refused(event(320, 1, Operation::Look), "session_expired"),
        ),
        refused(
            event(340, 2, sign_in(PASSWORD, 9, None)),
            "account_suspended",
        ),
        event(400, 0, resume()),
        event(1_500, 1, check("chat", 200)),
        event(1_600, 0, link("reset", Some(ADA))),
        event(1_620, 0, sign_in(PASSWORD, 2, Some("second"))),
        event(1_700, 0, reset("reset", "new")),
        by(
            2,
            refused(event(1_720, 1, Operation::Look), "session_expired"),
        ),
        refused(
            event(1_740, 2, sign_in(PASSWORD, 9, None)),
            "invalid_credentials",
        ),
        event(1_760, 0, sign_in("new", 3, Some("third"))),
        by(3, event(1_780, 1, Operation::Look)),
        by(3, event(1_800, 0, sign_out)),
        by(
            3,
            refused(event(1_820, 1, Operation::Look), "session_expired"),
        ),
        event(1_840, 0, link("invitation", None)),
        event(1_870, 0, withdraw("invitation")),
        refused(event(1_885, 0, sign_up("invitation")), "signup_closed"),
        event(1_900, 0, post),
        event(1_920, 0, say("two", "resolved")),
        refused(
            event(1_940, 1, say("three", "identified")),
            "invalid_parameter",
        ),
        event(1_960, 2, read(&["one", "two"])),
        event(2_000, 0, revoke),
        event(2_020, 0, check("chat", 401)),
    ]
}

fn entry(actor: &str, action: &str, account: &str, subject: &str, detail: Value) -> Entry {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Entry {
        actor: actor.into(),
        action: action.into(),
        account: some(account),
        subject: some(subject),
        detail,
    }
}

fn record() -> Vec<Entry> {
    let key = |action, detail| entry(ADA, action, ADA, "key", detail);
    let session = |action, id| entry(ADA, action, ADA, id, Value::Null);
    let roots = |action, account, id| entry(ROOT, action, account, id, Value::Null);
    let issued = json!({"name": "key", "scopes": ["chat", "read"], "expires_at": null});
    let posted = json!({"state": "investigating", "message": "one", "kind": "incident"});
    let resolved = json!({"state": "resolved", "message": "two"});
    vec![
        session("session.create", "first"),
        key("key.issue", issued),
        key("key.update", json!({"name": "off", "is_active": false})),
        key("key.update", json!({"name": "on", "is_active": true})),
        key("key.update", json!({"name": "narrow", "scopes": ["chat"]})),
        roots("account.suspend", ADA, ""),
        roots("account.resume", ADA, ""),
        roots("password_reset.create", ADA, "reset"),
        session("session.create", "second"),
        entry(ADA, "account.set_password", ADA, "", json!({"by": "link"})),
        session("session.create", "third"),
        session("session.delete", "third"),
        roots("invitation.create", "", "invitation"),
        roots("invitation.withdraw", "", "invitation"),
        entry(ROOT, "incident.create", "", "incident", posted),
        entry(ROOT, "incident.update", "", "incident", resolved),
        key("key.revoke", Value::Null),
    ]
}

fn history() -> History {
    let mut before = Kept::default();
    for account in [ADA, ROOT] {
        before.accounts.insert(account.into(), false);
    }
    let mut after = before.clone();
    let said = [("investigating", "one"), ("resolved", "two")];
    let said = said.map(|(state, message)| (state.to_owned(), message.to_owned()));
    after.incidents.insert("incident".into(), said.into());
    History {
        events: events(),
        record: record(),
        before,
        after,
        max_active: MAX_ACTIVE,
    }
}

#[test]
fn a_history_that_can_have_been_is_left_alone() {
    let history = history();
    assert!(history.check().is_ok(), "{}", history.check().unwrap_err());
}

/// The second attempt may have found what the first one left, or nothing.
#[test]
fn what_may_have_been_done_twice_is_taken_for_what_is_known() {
    let mut history = history();
    let revoke = Operation::Revoke {
        account: ADA.into(),
        key: "key".into(),
    };
    let answer = Answer::Unknown;
    let again = event(2_100, 0, revoke);
    history.events.push(Event { answer, ..again });
    let check = history.check();
    assert!(check.is_ok(), "{}", check.unwrap_err());
    let later = refused(event(2_050, 0, change("a", None, None)), "key_not_found");
    history.events.push(later);
    assert!(history.check().is_ok());
}

/// One more call makes something of the history that cannot have been.
#[test]
fn an_answer_that_cannot_have_been_is_found() {
    let key = "cannot have been answered like this";
    let sign_in_fault = "a sign-in cannot have been";
    let over = "was over, and opened something";
    let expired = |event| refused(event, "session_expired");
    for (added, found) in [
        // Switched off, narrowed, suspended, revoked: on the same node at once, elsewhere after the lease.
        (event(111, 0, check("read", 200)), key),
        (event(240, 0, check("read", 200)), key),
        (event(1_250, 2, check("read", 200)), key),
        (event(320, 0, check("chat", 200)), key),
        (event(2_020, 0, check("chat", 200)), key),
        (event(3_020, 2, check("chat", 200)), key),
        // On, and resumed: the same way.
        (event(60, 0, check("read", 401)), key),
        (event(211, 0, check("read", 401)), key),
        (event(420, 0, check("chat", 403)), key),
        (event(1_420, 1, check("chat", 403)), key),
        (by(1, event(320, 2, Operation::Look)), over),
        (by(2, event(1_720, 2, Operation::Look)), over),
        (by(3, event(1_820, 2, Operation::Look)), over),
        (
            by(2, expired(event(1_640, 1, Operation::Look))),
            "was alive",
        ),
        (
            refused(
                event(1_640, 0, sign_in(PASSWORD, 9, None)),
                "invalid_credentials",
            ),
            sign_in_fault,
        ),
        (
            refused(
                event(1_760, 0, sign_in("new", 9, None)),
                "account_suspended",
            ),
            sign_in_fault,
        ),
        (
            refused(
                event(1_650, 0, reset("reset", "other")),
                "invalid_parameter",
            ),
            "did not work",
        ),
        (
            refused(event(1_855, 0, withdraw("invitation")), "not_found"),
            "did not work",
        ),
        (
            refused(event(50, 0, issue("")), "key_limit_reached"),
            "was refused another",
        ),
        (
            refused(event(50, 0, change("a", None, None)), "key_not_found"),
            "was not found",
        ),
        (event(1_960, 0, read(&["one"])), key),
        (event(1_909, 0, read(&["one", "two"])), key),
        (
            refused(
                event(1_909, 0, say("four", "monitoring")),
                "invalid_parameter",
            ),
            key,
        ),
    ] {
        let mut history = history();
        let said = added.to_string();
        history.events.push(added);
        history.events.sort_by_key(|event| event.began);
        let violation = history.check().expect_err(&said).to_string();
        assert!(violation.contains(found), "{said}: {violation}");
        assert!(violation.contains(&said), "{said}: {violation}");
    }
}

/// One more change, with its entry, makes something of the history that cannot have been.
#[test]
fn a_change_that_cannot_have_been_is_found() {
    let created = || {
        let detail = json!({"by": "link"});
        let grace = "grace@example.com";
        entry(grace, "account.create", grace, "", detail)
    };
    let began = || entry(ADA, "session.create", ADA, "fourth", Value::Null);
    let said = json!({"state": "monitoring", "message": "four"});
    let said = entry(ROOT, "incident.update", "", "incident", said);
    for (added, entry, place, found) in [
        (
            event(1_890, 0, sign_up("invitation")),
            created(),
            16,
            "twice",
        ),
        (
            event(1_740, 0, sign_in(PASSWORD, 4, Some("fourth"))),
            began(),
            10,
            "a sign-in cannot",
        ),
        (
            event(330, 0, sign_in(PASSWORD, 4, Some("fourth"))),
            began(),
            6,
            "a sign-in cannot",
        ),
        (
            event(1_970, 0, say("four", "monitoring")),
            said,
            16,
            "it was over",
        ),
    ] {
        let mut history = history();
        history.events.push(added);
        history.events.sort_by_key(|event| event.began);
        history.record.insert(place, entry);
        let mut after = history.before.clone();
        for entry in &history.record {
            let _ = after.apply(entry, MAX_ACTIVE);
        }
        history.after = after;
        let violation = history.check().expect_err(found).to_string();
        assert!(violation.contains(found), "{violation}");
    }
}

/// A link that has ended works no more, though nobody has used it.
#[test]
fn a_link_that_works_after_its_end_is_found() {
    for (end, found) in [
        (suspend(), "it had ended, and worked"),
        (link("newer", Some(ADA)), "it had ended, and worked"),
        (reset("reset", "other"), "used or withdrawn twice"),
    ] {
        let mut history = history();
        history.events.push(event(1_640, 0, end));
        let violation = super::links::check(&history).expect_err(found);
        assert!(violation.to_string().contains(found), "{violation}");
    }
}

#[test]
fn a_record_that_does_not_say_what_was_done_is_found() {
    for place in 0..record().len() {
        let mut missing = history();
        let entry = missing.record.remove(place);
        let mut doubled = history();
        doubled.record.insert(place, entry);
        for wrong in [missing, doubled] {
            let violation = wrong.check().expect_err("not one each").to_string();
            assert!(violation.contains(" entries for "), "{violation}");
        }
    }
    let mut swapped = history();
    swapped.record.swap(2, 3);
    let violation = swapped.check().expect_err("another order").to_string();
    assert!(violation.contains("turns the order"), "{violation}");
}

#[test]
fn what_is_there_and_was_not_recorded_is_found() {
    type Fault = fn(&mut Kept);
    let faults: [(&str, Fault); 4] = [
        ("account", |kept| _ = kept.accounts.insert(ADA.into(), true)),
        ("session", |kept| {
            _ = kept.sessions.insert("first".into(), ADA.into());
        }),
        ("key", |kept| {
            let key = KeptKey::issued(ADA, &json!({"name": "key"}));
            _ = kept.keys.insert("key".into(), key);
        }),
        ("incident", |kept| _ = kept.incidents.remove("incident")),
    ];
    for (what, fault) in faults {
        let mut history = history();
        fault(&mut history.after);
        let violation = history.check().expect_err(what).to_string();
        assert!(
            violation.starts_with(&format!("by the record, {what}")),
            "{violation}"
        );
    }
}

#[test]
fn an_eleventh_active_key_is_found() {
    let mut history = history();
    for number in 0..MAX_ACTIVE {
        let (id, began) = (format!("key {number}"), 60 + number as u64);
        history.events.push(by(1, event(began, 0, issue(&id))));
        let issued = json!({"name": id, "scopes": ["chat", "read"]});
        let entry = entry(ADA, "key.issue", ADA, &id, issued);
        history.record.insert(2, entry);
    }
    let violation = history.check().expect_err("one too many").to_string();
    assert!(violation.contains("has 11 active keys"), "{violation}");
}
