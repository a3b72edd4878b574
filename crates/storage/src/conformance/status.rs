//! What probes say, and incidents.

use std::time::Duration;

use keygate_core::{
    ComponentId, Incident, IncidentId, IncidentKind, IncidentMessage, IncidentState, IncidentTitle,
    IncidentUpdate, OsRandom, ProberId, UpdateId,
};

use super::fixture::{Fixture, NOW, at};
use crate::{Action, IncidentEdit, IncidentPage, LatestProbe, Period, Probe, ProbeClaim, Tally};

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

    async fn insert_incident(&self, incident: &Incident) -> bool {
        let entry = Self::entry(Action::IncidentCreate);
        let inserted = self.store.insert_incident(incident.clone(), entry).await;
        inserted.expect("the store answers")
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

    let history = f
        .store
        .read_history(at(30_000))
        .await
        .expect("the store answers");
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
    for hours in [-92 * 24, -89 * 24, 0, 1] {
        f.record(prober, probe(&component, hours * HOUR, true))
            .await;
    }
    // Long ago as this is, what is left is listed.
    let long_ago = at(-100 * 24 * HOUR);
    let history = f.store.read_history(long_ago).await;
    let days = history.expect("the store answers").days.len();
    assert_eq!(days, 3, "after a leap the clock may be wrong");
    f.record(prober, probe(&component, 25 * HOUR, true)).await;
    let history = f
        .store
        .read_history(long_ago)
        .await
        .expect("the store answers");
    assert_eq!(history.days.len(), 3);
    assert_eq!(history.hours.len(), 4);
    assert_eq!(
        history.last_day,
        [(component.clone(), Tally { up: 3, down: 0 })]
    );
    // The clock was ahead: what lies ahead is no longer the latest.
    let newest = f.record(prober, probe(&component, HOUR / 2, false)).await;
    let newest = newest.expect("it is the prober");
    assert_eq!(newest.len(), 2);
    assert_eq!(newest[0].at, at(HOUR / 2));
    assert_eq!(
        f.store
            .lookup_incident(outage.id)
            .await
            .expect("the store answers"),
        None
    );
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
    let entry = Fixture::entry(Action::IncidentUpdate);
    let resolved = f
        .store
        .add_incident_update(first.id, end.clone(), Some(end.at), entry);
    assert!(resolved.await.expect("the store answers"));
    let found = f.store.lookup_outage(component.clone()).await;
    assert_eq!(found.expect("the store answers"), None);
    let found = f.store.lookup_incident(first.id).await;
    let found = found.expect("the store answers").expect("it is there");
    assert_eq!(found.ends_at, Some(end.at));
    assert_eq!(found.updates, [first.updates[0].clone(), end]);
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
    let new = outage(&data_plane, "<b>New</b>", 5, None);
    for incident in [&old, &new] {
        assert!(f.insert_incident(incident).await);
    }
    let all = IncidentPage {
        limit: 10,
        ..IncidentPage::default()
    };
    assert_eq!(f.incidents(all).await, [new.clone(), old.clone()]);
    let since = |ended_after| IncidentPage {
        ended_after: Some(at(ended_after)),
        ..all
    };
    assert_eq!(f.incidents(since(9)).await.len(), 2);
    assert_eq!(f.incidents(since(10)).await, std::slice::from_ref(&new));
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
        ..IncidentEdit::default()
    };
    let times = IncidentEdit {
        starts_at: Some(at(1)),
        ends_at: Some(at(20)),
        ..IncidentEdit::default()
    };
    let entry = || Fixture::entry(Action::IncidentEdit);
    for edit in [edit.clone(), times] {
        let edited = f.store.edit_incident(new.id, edit, entry()).await;
        assert!(edited.expect("the store answers"));
    }
    let message = IncidentMessage::parse("Mended").expect("a message");
    let edited = f
        .store
        .edit_incident_update(new.id, new.updates[0].id, message.clone(), entry());
    assert!(edited.await.expect("the store answers"));
    let found = f.store.lookup_incident(new.id).await;
    let found = found.expect("the store answers").expect("it is there");
    assert_eq!(found.title, title, "what is left out stays");
    assert_eq!(found.components, [storage, data_plane]);
    assert_eq!((found.starts_at, found.ends_at), (at(1), Some(at(20))));
    assert_eq!(found.updates[0].message, message);

    let nobody = IncidentId::generate(NOW, &OsRandom);
    let edited = f.store.edit_incident(nobody, edit, entry()).await;
    assert!(!edited.expect("the store answers"));
    let edited = f
        .store
        .edit_incident_update(old.id, new.updates[0].id, message, entry());
    assert!(!edited.await.expect("the store answers"), "it is another's");
    assert_eq!(
        f.audited().await.len(),
        5,
        "what changed nothing is not recorded"
    );
}
