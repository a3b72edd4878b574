//! Probers of one database, moved turn by turn, with the clock held still between turns.

use std::path::Path;

use async_trait::async_trait;
use keygate_core::{
    Clock, Incident, IncidentMessage, IncidentState, IncidentTitle, ManualClock, SeededRandom,
    Timestamp,
    key::{KeyFormat, KeyHasher},
};
use keygate_storage::{Actor, RecordedActor, Store};
use keygate_storage_sqlite::SqliteStore;
use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;
use crate::{
    AuditFilter, ComponentStatus, Health, IncidentEdit, PAGE, Policy, PostIncident,
    ScheduleMaintenance,
};

const START: Timestamp = Timestamp::from_millis(1_781_078_400_000);
const INTERVAL: i64 = 30_000;

/// A component that does what it is told to.
#[derive(Default)]
struct Switch(Mutex<Option<ProbeFault>>);

#[async_trait]
impl Target for Switch {
    async fn probe(&self) -> Result<(), ProbeFault> {
        self.0.lock().map_or(Ok(()), Err)
    }
}

struct World {
    clock: Arc<ManualClock>,
    store: Arc<SqliteStore>,
    control: Arc<Control>,
    switch: Arc<Switch>,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let clock = Arc::new(ManualClock::at(START));
        let store = open(folder.path());
        Self {
            control: control(&store, &clock, 1),
            store,
            clock,
            switch: Arc::default(),
            folder,
        }
    }

    fn prober(&self) -> Prober {
        self.prober_of(&self.control)
    }

    fn prober_of(&self, control: &Arc<Control>) -> Prober {
        let id = ProberId::generate(self.clock.now(), &*control.random);
        let data_plane = ComponentId::data_plane();
        let component = control.policy.status.component(&data_plane);
        let component = component.expect("it is there").clone();
        Prober::new(control.clone(), id, component, self.switch.clone())
    }

    /// Probes so many times, one interval after the other.
    async fn probe(&self, prober: &mut Prober, count: usize) {
        for _ in 0..count {
            prober.turn().await;
            self.clock.advance_millis(INTERVAL);
        }
    }

    fn fail(&self) {
        *self.switch.0.lock() = Some(ProbeFault::Status(503));
    }

    fn recover(&self) {
        *self.switch.0.lock() = None;
    }

    async fn maintain_for_five_minutes(&self) {
        let now = self.clock.now();
        let planned = ScheduleMaintenance {
            title: IncidentTitle::parse("New disks").expect("a title"),
            message: IncidentMessage::parse("Ten minutes.").expect("a message"),
            components: vec![ComponentId::data_plane()],
            starts_at: now,
            ends_at: now.plus(Duration::from_mins(5)),
        };
        let planned = self.control.schedule_maintenance(Actor::Operator, planned);
        planned.await.expect("scheduled");
    }

    /// Posts an incident of everything; its id.
    async fn post(&self, title: &str, state: IncidentState) -> String {
        let post = PostIncident {
            title: IncidentTitle::parse(title).expect("a title"),
            message: IncidentMessage::parse("We look.").expect("a message"),
            components: Vec::new(),
            state: Some(state),
            starts_at: None,
        };
        let posted = self.control.post_incident(Actor::Operator, post).await;
        posted.expect("posted").id.to_string()
    }

    async fn seen(&self) -> ComponentStatus {
        let status = self.control.read_status().await;
        let mut components = status.components.iter().cloned();
        let id = ComponentId::data_plane();
        components
            .find(|one| one.component.id == id)
            .expect("it is there")
    }

    async fn incidents(&self) -> Vec<Incident> {
        self.control.list_incidents(None).await.expect("listed")
    }
}

fn open(folder: &Path) -> Arc<SqliteStore> {
    Arc::new(keygate_storage_sqlite::open(&folder.join("keygate.db")).expect("the database opens"))
}

fn control(store: &Arc<SqliteStore>, clock: &Arc<ManualClock>, seed: u64) -> Arc<Control> {
    control_of(store, clock, seed, Policy::default())
}

fn control_of(
    store: &Arc<SqliteStore>,
    clock: &Arc<ManualClock>,
    seed: u64,
    policy: Policy,
) -> Arc<Control> {
    Arc::new(Control::new(
        store.clone(),
        clock.clone(),
        Arc::new(SeededRandom::new(seed)),
        KeyFormat::default(),
        KeyHasher::default(),
        policy,
    ))
}

#[tokio::test]
async fn three_failures_open_an_outage_and_three_successes_close_it() {
    let world = World::new();
    let mut prober = world.prober();
    world.probe(&mut prober, 5).await;
    assert_eq!(world.seen().await.health, Health::Operational);
    world.fail();
    world.probe(&mut prober, 2).await;
    assert_eq!(world.seen().await.health, Health::Degraded);
    assert_eq!(world.incidents().await, []);
    world.probe(&mut prober, 1).await;
    assert_eq!(world.seen().await.health, Health::Outage);
    let [outage] = &world.incidents().await[..] else {
        panic!("not one outage");
    };
    assert_eq!(outage.title.as_str(), "Data plane is down");
    assert_eq!(outage.starts_at, START.plus(Duration::from_secs(150)));
    assert_eq!(
        outage.updates[0].message.as_str(),
        "3 probes in a row failed: it answered with the status 503."
    );
    world.probe(&mut prober, 4).await;
    assert_eq!(
        world.incidents().await.len(),
        1,
        "one outage is one incident"
    );

    world.recover();
    world.probe(&mut prober, 2).await;
    assert_eq!(world.incidents().await[0].ends_at, None);
    world.probe(&mut prober, 1).await;
    let [outage] = &world.incidents().await[..] else {
        panic!("not one outage");
    };
    assert_eq!(outage.ends_at, Some(START.plus(Duration::from_mins(6))));
    assert_eq!(outage.state(world.clock.now()), IncidentState::Resolved);
    assert_eq!(
        outage.updates[1].message.as_str(),
        "Probes succeed again, after 3 minutes."
    );
    let seen = world.seen().await;
    assert_eq!(seen.health, Health::Operational);
    for uptime in [seen.last_day, seen.last_week, seen.last_quarter] {
        assert_eq!((uptime.tally.up, uptime.tally.down), (8, 7));
        assert_eq!(uptime.basis_points(), Some(5_333), "8 of 15");
    }
    let entries = world.control.list_audit_entries(AuditFilter::default());
    let entries = entries.await.expect("listed");
    let recorded: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.action, &entry.actor))
        .collect();
    assert_eq!(
        recorded,
        [
            ("incident.update", &RecordedActor::Prober),
            ("incident.create", &RecordedActor::Prober)
        ]
    );
}

#[tokio::test]
async fn while_nobody_probes_nothing_is_known() {
    let world = World::new();
    let mut prober = world.prober();
    world.probe(&mut prober, 120).await;
    world.clock.advance_millis(2 * 3_600_000);
    assert_eq!(world.seen().await.health, Health::Unknown);
    world.probe(&mut prober, 120).await;
    let seen = world.seen().await;
    assert_eq!(seen.health, Health::Operational);
    assert_eq!(seen.last_day.basis_points(), Some(10_000));
    // From each run's first probe to its last one: 119 intervals.
    assert_eq!(seen.last_day.known_ms, 2 * 119 * 30_000);
    let today = seen.days.last().expect("today");
    assert_eq!(today.uptime.known_ms, seen.last_day.known_ms);
    assert!(today.uptime.known_basis_points() < 2_500, "of 12 hours");
    let before = &seen.days[..89];
    assert!(before.iter().all(|day| day.uptime.basis_points().is_none()));
}

#[tokio::test]
async fn failures_around_a_gap_are_not_three_in_a_row() {
    let world = World::new();
    let mut prober = world.prober();
    world.fail();
    world.probe(&mut prober, 2).await;
    world.clock.advance_millis(3_600_000);
    world.probe(&mut prober, 2).await;
    assert_eq!(world.incidents().await, []);
    world.probe(&mut prober, 1).await;
    assert_eq!(world.incidents().await.len(), 1);
}

#[tokio::test]
async fn one_probes_and_another_takes_over_within_a_minute_of_silence() {
    let world = World::new();
    let (mut first, mut second) = (world.prober(), world.prober());
    for _ in 0..60 {
        first.turn().await;
        for _ in 0..3 {
            second.turn().await;
            world.clock.advance_millis(INTERVAL / 3);
        }
    }
    assert_eq!(world.seen().await.last_day.tally.up, 60, "one at a time");
    let silent_since = world.clock.now().minus(Duration::from_secs(30));
    second.turn().await;
    while matches!(second.role, Role::Watching(_)) {
        world.clock.advance_millis(INTERVAL / 3);
        second.turn().await;
    }
    let silence = world.clock.now().as_millis() - silent_since.as_millis();
    assert!((40_000..=50_000).contains(&silence), "{silence}");
    assert_eq!(world.seen().await.last_day.tally.up, 61);
    first.turn().await;
    assert!(matches!(first.role, Role::Watching(_)), "it notices");
    assert_eq!(world.seen().await.last_day.tally.up, 61);
}

#[tokio::test]
async fn a_clock_that_is_set_does_not_make_two_probers() {
    let world = World::new();
    let (mut first, mut second) = (world.prober(), world.prober());
    first.turn().await;
    second.turn().await;
    // Set back, by more than the silence that counts.
    world.clock.advance_millis(-90_000);
    second.turn().await;
    assert!(matches!(second.role, Role::Watching(_)));
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_its_own() {
    let world = World::new();
    let mut prober = world.prober();
    let id = ComponentId::data_plane();
    let claimed = world
        .control
        .store
        .claim_component(id, prober.id, None)
        .await;
    assert!(claimed.expect("claimed"));
    prober.turn().await;
    assert!(matches!(prober.role, Role::Probing(_)));
}

#[tokio::test]
async fn what_was_released_is_taken_at_once() {
    let world = World::new();
    let (mut first, mut second) = (world.prober(), world.prober());
    first.turn().await;
    second.turn().await;
    let released = world.control.store.release_claims(first.id).await;
    released.expect("released");
    second.turn().await;
    assert!(matches!(second.role, Role::Probing(_)));
}

#[tokio::test]
async fn a_restart_keeps_the_history_and_an_open_outage() {
    let world = World::new();
    let mut prober = world.prober();
    world.fail();
    world.probe(&mut prober, 3).await;
    drop(prober);
    world.store.close().await;
    let World {
        clock,
        control: old,
        switch,
        folder,
        store,
    } = world;
    drop((old, store));
    let store = open(folder.path());
    let world = World {
        control: control(&store, &clock, 2),
        store,
        clock,
        switch,
        folder,
    };
    let mut prober = world.prober();
    assert_eq!(world.seen().await.health, Health::Outage);
    world.recover();
    world.probe(&mut prober, 3).await;
    let incidents = world.incidents().await;
    assert_eq!(incidents.len(), 1);
    assert!(incidents[0].is_over(world.clock.now()));
    let tally = world.seen().await.last_quarter.tally;
    assert_eq!((tally.up, tally.down), (3, 3));
}

#[tokio::test]
async fn what_fails_during_its_maintenance_is_no_outage_until_it_is_over() {
    let world = World::new();
    let mut prober = world.prober();
    world.maintain_for_five_minutes().await;
    world.fail();
    world.probe(&mut prober, 9).await;
    assert_eq!(world.seen().await.health, Health::Maintenance);
    assert_eq!(world.incidents().await.len(), 1);
    world.probe(&mut prober, 2).await;
    assert_eq!(world.seen().await.health, Health::Outage);
    world.probe(&mut prober, 2).await;
    let incidents = world.incidents().await;
    assert_eq!(incidents.len(), 2, "after three probes that count");
    assert_eq!(Some(incidents[0].starts_at), incidents[1].ends_at);
}

#[tokio::test]
async fn what_is_over_cannot_be_made_to_last() {
    let world = World::new();
    world.maintain_for_five_minutes().await;
    let [planned] = &world.incidents().await[..] else {
        panic!("not one maintenance");
    };
    let until = |minutes| {
        let edit = IncidentEdit {
            ends_at: Some(START.plus(Duration::from_mins(minutes))),
            ..IncidentEdit::default()
        };
        let id = planned.id.to_string();
        let control = world.control.clone();
        async move { control.edit_incident(Actor::Operator, &id, edit).await }
    };
    until(10).await.expect("it still lasts");
    world.clock.advance_millis(600_000);
    let refused = until(11).await.expect_err("it is over");
    assert_eq!(refused.param.as_deref(), Some("ends_at"));
    until(9).await.expect("it was over before");
}

#[tokio::test]
async fn an_outage_of_what_is_probed_no_more_is_closed() {
    let world = World::new();
    let mut prober = world.prober();
    world.fail();
    world.probe(&mut prober, 3).await;
    let mut policy = Policy::default();
    policy
        .status
        .components
        .retain(|one| one.id == ComponentId::storage());
    let control = control_of(&world.store, &world.clock, 2, policy);
    control.close_unprobed_outages().await.expect("looked for");
    let outage = world.incidents().await.remove(0);
    assert_eq!(outage.ends_at, None, "another node probes it");
    let released = world.control.store.release_claims(prober.id).await;
    released.expect("released");
    let unchanged = world.control.close_unprobed_outages().await;
    unchanged.expect("looked for");
    assert_eq!(
        world.incidents().await[0].ends_at,
        None,
        "it is to be probed"
    );
    control.close_unprobed_outages().await.expect("looked for");
    let outage = world.incidents().await.remove(0);
    assert_eq!(outage.ends_at, Some(world.clock.now()));
    let last = outage.updates.last().expect("a word");
    assert_eq!(last.message.as_str(), "It is no longer probed.");
}

#[tokio::test]
async fn without_the_database_the_last_known_state_is_shown_and_said_to_be_so() {
    let world = World::new();
    let mut prober = world.prober();
    world.probe(&mut prober, 3).await;
    let known = world.control.read_status().await;
    assert_eq!(known.stale_since, None);
    let read_at = known.at;
    world.store.close().await;
    world.fail();
    world.probe(&mut prober, 1).await;
    let health = async |id: ComponentId| {
        let status = world.control.read_status().await;
        assert_eq!(status.stale_since, Some(read_at));
        let mut components = status.components.iter().cloned();
        let found = components.find(|one| one.component.id == id);
        found.expect("it is there").health
    };
    assert_eq!(health(ComponentId::storage()).await, Health::Degraded);
    assert_eq!(health(ComponentId::data_plane()).await, Health::Degraded);
    world.probe(&mut prober, 3).await;
    assert_eq!(health(ComponentId::storage()).await, Health::Outage);
    let data_plane = health(ComponentId::data_plane()).await;
    assert_eq!(data_plane, Health::Outage, "as this node sees it");
    let Role::Probing(queue) = &prober.role else {
        panic!("it gave up");
    };
    assert_eq!(queue.len(), 4, "to be noted later");
}

#[tokio::test]
async fn a_database_that_only_the_page_finds_too_slow_is_not_out() {
    let world = World::new();
    world.store.close().await;
    for _ in 0..2 {
        world.control.board.note(LatestProbe {
            component: ComponentId::storage(),
            at: world.clock.now(),
            is_up: true,
            duration_ms: 1,
        });
        let status = world.control.read_status().await;
        let mut components = status.components.iter().cloned();
        let storage = components.find(|one| one.component.id == ComponentId::storage());
        assert_eq!(storage.expect("it is there").health, Health::Degraded);
        world.clock.advance_millis(4 * INTERVAL);
    }
}

#[tokio::test]
async fn what_is_known_is_there_though_nobody_looked_before() {
    let world = World::new();
    let mut prober = world.prober();
    world.probe(&mut prober, 1).await;
    let probers = Probers::start(world.control.clone(), []);
    while !world.control.board.has_read() {
        tokio::task::yield_now().await;
    }
    probers.stop().await;
    world.store.close().await;
    world.clock.advance_millis(INTERVAL);
    let status = world.control.read_status().await;
    assert!(status.stale_since.is_some());
    let mut components = status.components.iter();
    let id = ComponentId::data_plane();
    let data_plane = components.find(|one| one.component.id == id);
    assert_eq!(data_plane.expect("it is there").last_day.tally.up, 1);
}

#[tokio::test]
async fn a_clock_that_was_ahead_hides_nothing() {
    let world = World::new();
    let mut prober = world.prober();
    world.probe(&mut prober, 3).await;
    world.clock.advance_millis(-3_600_000);
    assert_eq!(
        world.seen().await.health,
        Health::Unknown,
        "not of the future"
    );
    world.fail();
    world.probe(&mut prober, 3).await;
    assert_eq!(world.seen().await.health, Health::Outage);
    assert_eq!(world.incidents().await.len(), 1);
    let tally = world.seen().await.last_quarter.tally;
    assert_eq!((tally.up, tally.down), (3, 3), "what was counted counts");
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_forgets_nothing() {
    let world = World::new();
    let mut prober = world.prober();
    world.probe(&mut prober, 3).await;
    // For some hours: it is not the first probe alone that must not be believed.
    let leap = 200 * 86_400_000;
    world.clock.advance_millis(leap);
    world.probe(&mut prober, 250).await;
    world.clock.advance_millis(-leap - 250 * INTERVAL);
    world.probe(&mut prober, 1).await;
    assert_eq!(world.seen().await.last_quarter.tally.up, 4);
}

#[tokio::test]
async fn maintenance_is_over_by_the_time_of_the_probe_not_by_that_of_its_record() {
    let world = World::new();
    let mut prober = world.prober();
    world.maintain_for_five_minutes().await;
    world.fail();
    prober.turn().await;
    for _ in 0..3 {
        world.clock.advance_millis(INTERVAL);
        prober.probe().await;
    }
    world.clock.advance_millis(10 * INTERVAL);
    prober.record().await;
    assert_eq!(world.incidents().await.len(), 1);
}

#[tokio::test]
async fn what_concerns_everything_is_the_trouble_of_each() {
    let world = World::new();
    let mut prober = world.prober();
    world.probe(&mut prober, 1).await;
    world.post("Slow", IncidentState::Investigating).await;
    assert_eq!(world.seen().await.health, Health::Degraded);
}

#[tokio::test]
async fn an_open_incident_is_there_however_many_were_over_since() {
    let world = World::new();
    let open = world.post("Open", IncidentState::Identified).await;
    for _ in 0..PAGE {
        world.clock.advance_millis(1);
        world.post("Over", IncidentState::Resolved).await;
    }
    let status = world.control.read_status().await;
    assert_eq!(status.current.len(), 1);
    assert_eq!(status.past.len(), PAGE as usize);
    // Somebody ends it while somebody else corrects its title.
    let message = IncidentMessage::parse("Over.").expect("a message");
    let ended = Some(IncidentState::Resolved);
    let ended = world
        .control
        .update_incident(Actor::Operator, &open, ended, message);
    let ends_at = ended.await.expect("ended").ends_at;
    let edit = IncidentEdit {
        title: Some(IncidentTitle::parse("Was open").expect("a title")),
        ..IncidentEdit::default()
    };
    let edited = world.control.edit_incident(Actor::Operator, &open, edit);
    edited.await.expect("edited");
    let kept = world
        .control
        .get_incident(&open)
        .await
        .expect("it is there");
    assert!(ends_at.is_some() && kept.ends_at == ends_at);
}

#[tokio::test]
async fn an_upstream_that_comes_and_goes_pushes_nobodys_incident_away() {
    let world = World::new();
    let said = world.post("Said by people", IncidentState::Resolved).await;
    let component = ComponentId::data_plane();
    let component = world.control.policy.status.component(&component);
    let component = component.expect("it is there").clone();
    let probes = |is_up| {
        let ago = |seconds| world.clock.now().minus(Duration::from_secs(seconds));
        [0, 1, 2].map(|seconds| LatestProbe {
            component: component.id.clone(),
            at: ago(seconds),
            is_up,
            duration_ms: 1,
        })
    };
    for _ in 0..=PAGE {
        for is_up in [false, true] {
            world.clock.advance_millis(10_000);
            let newest = probes(is_up);
            let followed = world.control.follow_outage(&component, &newest, None);
            followed.await.expect("the store answers");
        }
    }
    let past = world.control.read_status().await.past.clone();
    let is_said = |incident: &Incident| incident.id.to_string() == said;
    assert!(past.iter().any(is_said));
    assert_eq!(
        past.len(),
        PAGE as usize + 1,
        "as many outages as of each kind"
    );
}

#[tokio::test]
async fn all_open_incidents_are_shown() {
    let world = World::new();
    for _ in 0..PAGE + 50 {
        world.post("Open", IncidentState::Identified).await;
    }
    let shown = world.control.read_status().await.current.len();
    assert_eq!(shown, PAGE as usize + 50);
}

#[tokio::test]
async fn an_outage_that_two_see_end_is_resolved_once() {
    let world = World::new();
    let mut prober = world.prober();
    world.fail();
    world.probe(&mut prober, 3).await;
    world.recover();
    world.probe(&mut prober, 3).await;
    let [outage] = &world.incidents().await[..] else {
        panic!("not one outage");
    };
    let open = Incident {
        ends_at: None,
        ..outage.clone()
    };
    // As one that had read it before it was closed.
    let late = world.control.close_outage(open, world.clock.now());
    late.await.expect("the store answers");
    assert_eq!(world.incidents().await, std::slice::from_ref(outage));
}
