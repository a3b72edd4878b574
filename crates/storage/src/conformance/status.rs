//! What probes say, and incidents.

use std::{sync::Arc, time::Duration};

use keygate_core::{
    ComponentId, Incident, IncidentEdit, IncidentId, IncidentKind, IncidentMessage, IncidentState,
    IncidentTitle, IncidentUpdate, OsRandom, ProberId, Problem, UpdateId,
};

use super::fixture::{ExpectMade, Fixture, NOW, at};
use crate::{
    Action, Actor, AuditEntry, ChangeIncident, IncidentPage, LatestProbe, Period, Probe,
    ProbeClaim, SessionOver, StatusHistory, Tally,
};

const HOUR: i64 = 3_600_000;

fn prober() -> ProberId {
    ProberId::generate(NOW, &OsRandom)
}

fn probe(component: &ComponentId, offset_millis: i64, is_up: bool) -> Probe {
    Probe {
        component: component.clone(),
        at: at(offset_millis),
        is_up,
        duration_ms: 7,
        max_gap: Duration::from_mins(1),
    }
}

impl Fixture {
    async fn claim(
        &self,
        component: &ComponentId,
        prober: ProberId,
        seen: Option<ProbeClaim>,
    ) -> bool {
        let claimed = self.store.claim_component(component.clone(), prober, seen);
        claimed.await.expect("the store answers")
    }

    async fn claims(&self) -> Vec<ProbeClaim> {
        self.store.list_claims().await.expect("the store answers")
    }

    async fn record(&self, prober: ProberId, probe: Probe) -> Option<Vec<LatestProbe>> {
        let recorded = self.store.record_probe(prober, probe).await;
        recorded.expect("the store answers")
    }

    async fn history(&self, component: &ComponentId, offset_millis: i64) -> StatusHistory {
        let components = vec![component.clone()];
        let history = self.store.read_history(components, at(offset_millis)).await;
        history.expect("the store answers")
    }

    async fn insert_incident(&self, incident: &Incident) -> bool {
        let entry = Self::entry(Action::IncidentCreate);
        let inserted = self.store.insert_incident(incident.clone(), entry).await;
        inserted.made()
    }

    async fn change(&self, id: IncidentId, action: Action, change: &Change) -> ChangeIncident {
        let change = change.clone();
        let rule = Arc::new(move |before: &Incident| {
            let mut incident = before.clone();
            change.apply(&mut incident)?;
            Ok((incident, Self::entry(action)))
        });
        let changed = self.store.change_incident(id, rule).await;
        changed.made()
    }

    async fn incident(&self, id: IncidentId) -> Option<Incident> {
        let found = self.store.lookup_incident(id).await;
        found.expect("the store answers")
    }

    async fn incidents(&self, page: IncidentPage) -> Vec<Incident> {
        let listed = self.store.list_incidents(page).await;
        listed.expect("the store answers")
    }
}

pub async fn one_prober_probes_a_component_until_it_falls_silent(f: Fixture) {
    let (component, first, second) = (ComponentId::storage(), prober(), prober());
    assert!(f.claim(&component, first, None).await);
    assert!(!f.claim(&component, second, None).await, "it is taken");
    let seen = f.claims().await.pop().expect("a claim");
    assert_eq!((&seen.component, seen.prober), (&component, first));
    f.record(first, probe(&component, 0, true))
        .await
        .expect("it is the prober");
    assert!(
        !f.claim(&component, second, Some(seen)).await,
        "it has gone on"
    );
    f.store
        .write_and_read(first)
        .await
        .expect("the store answers");

    let seen = f.claims().await.pop().expect("a claim");
    assert!(f.claim(&component, second, Some(seen)).await);
    assert_eq!(f.record(first, probe(&component, 1, true)).await, None);
    f.store
        .release_claims(first)
        .await
        .expect("the store answers");
    assert_eq!(f.claims().await.len(), 1, "others stay");
    f.store
        .release_claims(second)
        .await
        .expect("the store answers");
    assert_eq!(f.claims().await, []);
}

pub async fn probes_add_up_and_none_counts_twice(f: Fixture) {
    let (component, prober) = (ComponentId::upstream("/v1"), prober());
    assert!(f.claim(&component, prober, None).await);
    // One more than a day ago, then a gap, then one each 30 seconds.
    f.record(prober, probe(&component, -25 * HOUR + 1, false))
        .await;
    for (offset, is_up) in [
        (-60_000, true),
        (-30_000, true),
        (-30_000, true),
        (0, false),
    ] {
        f.record(prober, probe(&component, offset, is_up)).await;
    }
    let newest = f.record(prober, probe(&component, 30_000, false)).await;
    let newest = newest.expect("it is the prober");
    let results: Vec<_> = newest.iter().map(|probe| (probe.at, probe.is_up)).collect();
    assert_eq!(
        results,
        [(at(30_000), false), (at(0), false), (at(-30_000), true)]
    );

    let history = f.history(&component, 30_000).await;
    assert_eq!(history.latest, newest[..1]);
    let last_day = Tally { up: 2, down: 2 };
    assert_eq!(history.last_day, [(component, last_day)]);
    // 08:00:00 is a full hour.
    let hours: Vec<_> = history
        .hours
        .iter()
        .map(|hour| {
            (
                hour.starts_at,
                hour.tally,
                hour.known_ms,
                hour.up_duration_ms,
            )
        })
        .collect();
    assert_eq!(
        hours,
        [
            (
                Period::Hour.start_of(at(-25 * HOUR + 1)),
                Tally { up: 0, down: 1 },
                0,
                0
            ),
            (at(-HOUR), Tally { up: 2, down: 0 }, 30_000, 14),
            (NOW, Tally { up: 0, down: 2 }, 60_000, 0),
        ]
    );
    let days: Vec<Tally> = history.days.iter().map(|day| day.tally).collect();
    assert_eq!(days, [Tally { up: 0, down: 1 }, Tally { up: 2, down: 2 }]);
}

pub async fn what_is_old_is_forgotten(f: Fixture) {
    let (component, prober) = (ComponentId::data_plane(), prober());
    assert!(f.claim(&component, prober, None).await);
    let outage = outage(&component, "Down", -95 * 24 * HOUR, Some(-94 * 24 * HOUR));
    assert!(f.insert_incident(&outage).await);
    // In the later half of an hour, whose probes are then counted one by one.
    let half_past = -89 * 24 * HOUR + 45 * 60_000;
    for offset in [-92 * 24 * HOUR, half_past, 0, HOUR] {
        f.record(prober, probe(&component, offset, true)).await;
    }
    // Long ago as this is, what is left is listed.
    let long_ago = -100 * 24 * HOUR;
    let days = f.history(&component, long_ago).await.days.len();
    assert_eq!(days, 3, "after a leap the clock may be wrong");
    let in_half_past = half_past + 24 * HOUR - 60_000;
    let counted = f.history(&component, in_half_past).await.last_day;
    assert_eq!(counted, [(component.clone(), Tally { up: 1, down: 0 })]);

    f.record(prober, probe(&component, 25 * HOUR, true)).await;
    let history = f.history(&component, long_ago).await;
    assert_eq!(history.days.len(), 3);
    assert_eq!(history.hours.len(), 4);
    let counted = f.history(&component, in_half_past).await.last_day;
    assert_eq!(counted, [(component.clone(), Tally::default())]);
    // The clock was ahead: what lies ahead is no longer the latest.
    let newest = f.record(prober, probe(&component, HOUR / 2, false)).await;
    let newest = newest.expect("it is the prober");
    assert_eq!(newest.len(), 2);
    assert_eq!(newest[0].at, at(HOUR / 2));
    assert_eq!(f.incident(outage.id).await, None);
}

fn update(offset_millis: i64, state: IncidentState, message: &str) -> IncidentUpdate {
    IncidentUpdate {
        id: UpdateId::generate(at(offset_millis), &OsRandom),
        at: at(offset_millis),
        state,
        message: IncidentMessage::parse(message).expect("a message"),
    }
}

fn outage(component: &ComponentId, title: &str, starts: i64, ends: Option<i64>) -> Incident {
    Incident {
        id: IncidentId::generate(at(starts), &OsRandom),
        kind: IncidentKind::Outage,
        title: IncidentTitle::parse(title).expect("a title"),
        components: vec![component.clone()],
        starts_at: at(starts),
        ends_at: ends.map(at),
        updates: vec![update(
            starts,
            IncidentState::Investigating,
            "Three probes\nfailed.",
        )],
    }
}

/// Something that is done to an incident at [`NOW`].
#[derive(Debug, Clone)]
enum Change {
    Say(IncidentUpdate),
    Resolve(IncidentUpdate),
    Edit(IncidentEdit),
    EditUpdate(UpdateId, IncidentMessage),
}

impl Change {
    fn apply(&self, incident: &mut Incident) -> Result<(), Problem> {
        match self.clone() {
            Self::Say(update) => incident.add_update(update, false),
            Self::Resolve(update) => {
                let ends_at = update.at;
                incident.resolve_outage(update, ends_at)
            }
            Self::Edit(edit) => incident.edit(edit, NOW),
            Self::EditUpdate(id, message) => incident.edit_update(Some(id), message).map(|_| ()),
        }
    }
}

pub async fn a_component_has_one_open_outage(f: Fixture) {
    let component = ComponentId::upstream("/v1");
    let first = outage(&component, "Down", 0, None);
    assert!(f.insert_incident(&first).await);
    assert!(
        !f.insert_incident(&outage(&component, "Down", 1, None))
            .await
    );
    assert!(
        f.insert_incident(&outage(&ComponentId::storage(), "Down", 1, None))
            .await
    );
    let found = f.store.lookup_outage(component.clone()).await;
    assert_eq!(found.expect("the store answers"), Some(first.clone()));

    let end = update(2, IncidentState::Resolved, "It is back.");
    let resolve = Change::Resolve(end.clone());
    let expected = Incident {
        ends_at: Some(end.at),
        updates: vec![first.updates[0].clone(), end],
        ..first.clone()
    };
    let resolved = f.change(first.id, Action::IncidentUpdate, &resolve).await;
    assert_eq!(resolved, ChangeIncident::Changed(expected.clone()));
    let again = f.change(first.id, Action::IncidentUpdate, &resolve).await;
    assert!(matches!(again, ChangeIncident::Refused(_)), "{again:?}");
    let found = f.store.lookup_outage(component.clone()).await;
    assert_eq!(found.expect("the store answers"), None);
    assert_eq!(f.incident(first.id).await, Some(expected));
    assert!(
        f.insert_incident(&outage(&component, "Down", 3, None))
            .await
    );
    let recorded = [
        Action::IncidentCreate,
        Action::IncidentUpdate,
        Action::IncidentCreate,
        Action::IncidentCreate,
    ];
    assert_eq!(f.audited().await, recorded);
}

pub async fn incidents_are_changed_and_listed_newest_first(f: Fixture) {
    let (storage, data_plane) = (ComponentId::storage(), ComponentId::data_plane());
    let old = outage(&storage, "Old", 0, Some(10));
    let new = Incident {
        kind: IncidentKind::Incident,
        ..outage(&data_plane, "<b>New</b>", 5, None)
    };
    for incident in [&old, &new] {
        assert!(f.insert_incident(incident).await);
    }
    let all = IncidentPage {
        limit: 10,
        ..IncidentPage::default()
    };
    assert_eq!(f.incidents(all).await, [new.clone(), old.clone()]);
    let open = async |offset| {
        let open = f.store.list_open_incidents(at(offset)).await;
        open.expect("the store answers")
    };
    assert_eq!(open(9).await, [new.clone(), old.clone()]);
    assert_eq!(open(10).await, std::slice::from_ref(&new));
    let ended = async |kind, after, until| {
        let ended = f.store.list_ended_incidents(kind, at(after), at(until), 10);
        ended.await.expect("the store answers")
    };
    let outage = IncidentKind::Outage;
    assert_eq!(ended(outage, 9, 10).await, std::slice::from_ref(&old));
    assert_eq!(ended(outage, 10, 20).await, []);
    assert_eq!(ended(outage, 0, 9).await, []);
    assert_eq!(ended(IncidentKind::Incident, 0, 20).await, []);
    let before = IncidentPage {
        before: Some(new.id),
        ..all
    };
    assert_eq!(f.incidents(before).await, std::slice::from_ref(&old));
    let first = IncidentPage { limit: 1, ..all };
    assert_eq!(f.incidents(first).await, std::slice::from_ref(&new));

    let title = IncidentTitle::parse("Both").expect("a title");
    let edit = IncidentEdit {
        title: Some(title.clone()),
        components: Some(vec![storage.clone(), data_plane.clone()]),
        starts_at: Some(at(-5)),
        ..IncidentEdit::default()
    };
    let message = IncidentMessage::parse("Mended").expect("a message");
    let reword = Change::EditUpdate(new.updates[0].id, message.clone());
    let edit = Change::Edit(edit);
    for change in [&edit, &reword] {
        let edited = f.change(new.id, Action::IncidentEdit, change).await;
        assert!(matches!(edited, ChangeIncident::Changed(_)), "{edited:?}");
    }
    let found = f.incident(new.id).await.expect("it is there");
    assert_eq!(found.title, title, "what is left out stays");
    assert_eq!(found.components, [storage, data_plane]);
    assert_eq!((found.starts_at, found.ends_at), (at(-5), None));
    assert_eq!(found.updates[0].message, message);

    let nobody = IncidentId::generate(NOW, &OsRandom);
    let edited = f.change(nobody, Action::IncidentEdit, &edit).await;
    assert_eq!(edited, ChangeIncident::NotFound);
    let edited = f.change(old.id, Action::IncidentEdit, &reword).await;
    assert!(
        matches!(edited, ChangeIncident::Refused(_)),
        "it is another's: {edited:?}"
    );
    assert_eq!(
        f.audited().await.len(),
        4,
        "what changed nothing is not recorded"
    );
}

/// Changes that get into each other's way, each made anew.
fn changes(first: UpdateId) -> Vec<Change> {
    let say = |state| Change::Say(update(0, state, "More."));
    let edit = |starts_at: Option<i64>, ends_at: Option<i64>| {
        Change::Edit(IncidentEdit {
            title: Some(IncidentTitle::parse(&format!("{starts_at:?}")).expect("a title")),
            starts_at: starts_at.map(at),
            ends_at: ends_at.map(at),
            ..IncidentEdit::default()
        })
    };
    let message = IncidentMessage::parse("Said better.").expect("a message");
    vec![
        say(IncidentState::Monitoring),
        say(IncidentState::Resolved),
        say(IncidentState::InProgress),
        say(IncidentState::Completed),
        Change::Resolve(update(0, IncidentState::Resolved, "It is back.")),
        edit(Some(-10), None),
        edit(None, Some(2 * HOUR)),
        edit(Some(HOUR / 2), Some(3 * HOUR)),
        edit(None, Some(-1)),
        Change::EditUpdate(first, message),
    ]
}

/// What becomes of an incident if one change is made after another.
fn in_order(incident: &Incident, changes: [&Change; 2]) -> ([bool; 2], Incident) {
    let mut incident = incident.clone();
    let made = changes.map(|change| change.apply(&mut incident).is_ok());
    incident.updates.sort_by_key(|update| update.id);
    (made, incident)
}

/// Each pair of changes at once, three times over, of each kind of incident: 495 races.
pub async fn two_changes_at_once_leave_what_one_after_the_other_does(f: Fixture) {
    const TIMES: usize = 3;
    /// Each takes two connections at once.
    const RACES_AT_ONCE: usize = 4;
    let f = Arc::new(f);
    let mut races = tokio::task::JoinSet::new();
    for &kind in IncidentKind::ALL {
        let count = changes(UpdateId::generate(NOW, &OsRandom)).len();
        let pairs = (0..count).flat_map(|one| (one..count).map(move |other| (one, other)));
        for pair in pairs.flat_map(|pair| [pair; TIMES]) {
            if races.len() == RACES_AT_ONCE {
                races
                    .join_next()
                    .await
                    .expect("there are some")
                    .expect("no panic");
            }
            let f = f.clone();
            races.spawn(async move { race(&f, kind, pair).await });
        }
    }
    races.join_all().await;
}

async fn race(f: &Fixture, kind: IncidentKind, (one, other): (usize, usize)) {
    let name = IncidentId::generate(NOW, &OsRandom);
    let component = ComponentId::upstream(&format!("/{name}"));
    let ends_at = (kind == IncidentKind::Maintenance).then_some(HOUR);
    let before = Incident {
        kind,
        ..outage(&component, "Raced", -20, ends_at)
    };
    assert!(f.insert_incident(&before).await);
    let first = before.updates[0].id;
    let (one, other) = (
        changes(first).swap_remove(one),
        changes(first).swap_remove(other),
    );
    let action = Action::IncidentEdit;
    let (a, b) = tokio::join!(
        f.change(before.id, action, &one),
        f.change(before.id, action, &other)
    );
    let made = [a, b].map(|outcome| matches!(outcome, ChangeIncident::Changed(_)));
    let after = f.incident(before.id).await.expect("it is there");
    let (made_first, first) = in_order(&before, [&one, &other]);
    let (mut made_last, last) = in_order(&before, [&other, &one]);
    made_last.reverse();
    assert!(
        [(made_first, first), (made_last, last)].contains(&(made, after.clone())),
        "{one:?} and {other:?} at once: {made:?} {after:#?}"
    );
    assert!(after.ends_at.is_none_or(|end| end >= after.starts_at));
}

/// One of a thousand is changed in each way; the others stay what they are.
pub async fn a_change_of_one_incident_leaves_999_as_they_are(f: Fixture) {
    const AT_ONCE: i64 = 8;
    let f = Arc::new(f);
    let mut ids = Vec::new();
    for batch in 0..1_000 / AT_ONCE {
        let mut inserts = tokio::task::JoinSet::new();
        for number in 0..AT_ONCE {
            let f = f.clone();
            inserts.spawn(async move {
                let incident = Incident {
                    kind: IncidentKind::Incident,
                    ..outage(
                        &ComponentId::storage(),
                        "Slow",
                        batch * AT_ONCE + number - 2_000,
                        None,
                    )
                };
                assert!(f.insert_incident(&incident).await);
                incident.id
            });
        }
        ids.extend(inserts.join_all().await);
    }
    let all = IncidentPage {
        limit: 2_000,
        ..IncidentPage::default()
    };
    let before = f.incidents(all).await;
    assert_eq!(before.len(), 1_000);
    let chosen = f.incident(ids[500]).await.expect("it is there");
    let edit = IncidentEdit {
        title: Some(IncidentTitle::parse("Fast").expect("a title")),
        components: Some(vec![ComponentId::data_plane()]),
        starts_at: Some(at(-3_000)),
        ends_at: None,
    };
    let message = IncidentMessage::parse("Said better.").expect("a message");
    for change in [
        Change::Edit(edit),
        Change::EditUpdate(chosen.updates[0].id, message),
        Change::Say(update(0, IncidentState::Resolved, "It is back.")),
    ] {
        let changed = f.change(chosen.id, Action::IncidentEdit, &change).await;
        assert!(matches!(changed, ChangeIncident::Changed(_)), "{changed:?}");
    }
    let after = f.incidents(all).await;
    let differ = |(before, after): &(&Incident, &Incident)| before != after;
    let changed: Vec<_> = before.iter().zip(&after).filter(differ).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0.id, chosen.id);
    assert_eq!(after.len(), 1_000);
}

/// An admin whose session is over leaves neither a change nor an entry.
pub async fn an_incident_is_changed_with_its_entry_or_not_at_all(f: Fixture) {
    let account = f.account("ada@example.com").await;
    let over = Fixture::new_session(account);
    let entry = move || AuditEntry {
        actor: Actor::Session(account, over.id),
        ..Fixture::entry(Action::IncidentEdit)
    };
    let posted = Incident {
        kind: IncidentKind::Incident,
        ..outage(&ComponentId::storage(), "Slow", 0, None)
    };
    let refused = f.store.insert_incident(posted.clone(), entry()).await;
    assert!(matches!(refused, Ok(Err(SessionOver))), "{refused:?}");
    assert_eq!(f.incident(posted.id).await, None);

    assert!(f.insert_incident(&posted).await);
    let recorded = f.audited().await;
    let change = Change::Say(update(1, IncidentState::Resolved, "It is back."));
    let rule = Arc::new(move |before: &Incident| {
        let mut incident = before.clone();
        change.apply(&mut incident)?;
        Ok((incident, entry()))
    });
    let refused = f.store.change_incident(posted.id, rule).await;
    assert!(matches!(refused, Ok(Err(SessionOver))), "{refused:?}");
    assert_eq!(f.incident(posted.id).await, Some(posted));
    assert_eq!(f.audited().await, recorded);
}
