use std::{collections::VecDeque, sync::Arc, time::Duration};

use keygate_core::{ComponentId, ProberId};
use keygate_storage::{LatestProbe, Probe, ProbeClaim, StorageError};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{Component, ProbeFault, Target, target::Storage};
use crate::Control;

/// How many probes are kept while the database does not take them: those of a day, by the default.
const MAX_QUEUE: usize = 2_880;
/// How long the database may take. What it does later is done all the same.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the board is left alone at least.
const MIN_REFRESH: Duration = Duration::from_secs(1);
/// How long to wait at the end for the claims to be released.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// Probes the components of the service, each by a task of its own, as long as it lives. Where several
/// nodes share a database, one of them probes a component; another takes over when it falls silent.
pub struct Probers {
    control: Arc<Control>,
    id: ProberId,
    tasks: JoinSet<()>,
}

impl Probers {
    /// Probes the database, and these components.
    pub fn start(
        control: Arc<Control>,
        targets: impl IntoIterator<Item = (Component, Arc<dyn Target>)>,
    ) -> Self {
        let id = ProberId::generate(control.clock.now(), &*control.random);
        let storage: Arc<dyn Target> = Arc::new(Storage {
            store: control.store.clone(),
            prober: id,
        });
        let policy = &control.policy.status;
        let storage_id = ComponentId::storage();
        let storage = policy
            .component(&storage_id)
            .map(|one| (one.clone(), storage));
        let mut tasks = JoinSet::new();
        for (component, target) in storage.into_iter().chain(targets) {
            let prober = Prober::new(control.clone(), id, component, target);
            tasks.spawn(prober.run());
        }
        tasks.spawn(keep_board(control.clone()));
        tasks.spawn(close_unprobed(control.clone()));
        Self { control, id, tasks }
    }

    /// Stops, and leaves the components to others.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        let released = self.control.store.release_claims(self.id);
        let released = timeout(LAST_PATIENCE, released).await;
        if !matches!(released, Ok(Ok(()))) {
            tracing::debug!("the claims of the probers were not released");
        }
    }
}

/// Reads what is to be shown when the database is gone.
async fn keep_board(control: Arc<Control>) {
    loop {
        control.board.refresh().await;
        sleep(MIN_REFRESH.max(control.policy.status.interval / 3)).await;
    }
}

/// What was probed before this program started, and is no more, can be closed by no probe.
async fn close_unprobed(control: Arc<Control>) {
    if control.close_unprobed_outages().await.is_err() {
        tracing::debug!("outages of what is no longer probed were not looked for");
    }
}

/// Probes one component, or watches whether somebody else does.
struct Prober {
    control: Arc<Control>,
    id: ProberId,
    component: Component,
    target: Arc<dyn Target>,
    role: Role,
}

enum Role {
    /// Somebody else probes it, as far as is known.
    Watching(Option<Watched>),
    /// This one does; what the database has not yet taken, oldest first.
    Probing(VecDeque<(Probe, Option<ProbeFault>)>),
}

/// What somebody else's claim was, and since when it has been the same, by the monotonic clock.
struct Watched {
    claim: ProbeClaim,
    since: Duration,
}

impl Prober {
    fn new(
        control: Arc<Control>,
        id: ProberId,
        component: Component,
        target: Arc<dyn Target>,
    ) -> Self {
        Self {
            control,
            id,
            component,
            target,
            role: Role::Watching(None),
        }
    }

    async fn run(mut self) {
        loop {
            let began = Instant::now();
            self.turn().await;
            let interval = self.control.policy.status.interval;
            let pause = match self.role {
                Role::Probing(_) => interval,
                Role::Watching(_) => interval / 3,
            };
            sleep(pause.saturating_sub(began.elapsed())).await;
        }
    }

    /// Probes, or looks whether it is its turn to, and then does.
    async fn turn(&mut self) {
        if let Role::Watching(watched) = &mut self.role {
            let watched = watched.take();
            // Whoever has not seen that nothing moved cannot know it.
            let seen = timeout(PATIENCE, self.watch(watched)).await;
            self.role = seen
                .ok()
                .and_then(Result::ok)
                .unwrap_or(Role::Watching(None));
        }
        if matches!(self.role, Role::Probing(_)) {
            self.probe().await;
            self.record().await;
        }
    }

    /// Takes the component over if nobody probes it, or whoever did has fallen silent.
    async fn watch(&self, watched: Option<Watched>) -> Result<Role, StorageError> {
        let store = &self.control.store;
        let claims = store.list_claims().await?;
        let claim = claims
            .into_iter()
            .find(|claim| claim.component == self.component.id);
        // What it had given up waiting for was done all the same.
        if claim.as_ref().is_some_and(|claim| claim.prober == self.id) {
            return Ok(Role::Probing(VecDeque::new()));
        }
        let now = self.control.clock.monotonic();
        let watched = watched.filter(|watched| Some(&watched.claim) == claim.as_ref());
        let silence = self.control.policy.status.silence();
        let is_silent = |watched: &Watched| now.saturating_sub(watched.since) >= silence;
        if claim.is_none() || watched.as_ref().is_some_and(is_silent) {
            let id = self.component.id.clone();
            if store.claim_component(id, self.id, claim).await? {
                return Ok(Role::Probing(VecDeque::new()));
            }
            return Ok(Role::Watching(None));
        }
        let anew = || claim.map(|claim| Watched { claim, since: now });
        Ok(Role::Watching(watched.or_else(anew)))
    }

    /// Probes once.
    async fn probe(&mut self) {
        let policy = &self.control.policy.status;
        let at = self.control.clock.now();
        let began = Instant::now();
        let probed = timeout(policy.timeout, self.target.probe()).await;
        let fault = probed.unwrap_or(Err(ProbeFault::TimedOut)).err();
        let probe = Probe {
            component: self.component.id.clone(),
            at,
            is_up: fault.is_none(),
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            max_gap: policy.max_gap(),
        };
        if let Some(fault) = fault {
            tracing::debug!(component = %probe.component, "a probe failed: {fault}");
        }
        self.control.board.note(LatestProbe {
            component: probe.component.clone(),
            at: probe.at,
            is_up: probe.is_up,
            duration_ms: probe.duration_ms,
        });
        if let Role::Probing(queue) = &mut self.role {
            queue.push_back((probe, fault));
            if queue.len() > MAX_QUEUE {
                queue.pop_front();
            }
        }
    }

    /// Has the database keep what it has not kept yet, for as long as it does not delay the next probe.
    async fn record(&mut self) {
        let Role::Probing(queue) = &mut self.role else {
            return;
        };
        let began = Instant::now();
        let patience = self.control.policy.status.interval / 2;
        while began.elapsed() < patience
            && let Some((probe, fault)) = queue.front().cloned()
        {
            let kept = self.control.store.record_probe(self.id, probe);
            match timeout(PATIENCE, kept).await {
                Ok(Ok(Some(newest))) => {
                    queue.pop_front();
                    let component = &self.component;
                    let followed = self.control.follow_outage(component, &newest, fault);
                    if !matches!(timeout(PATIENCE, followed).await, Ok(Ok(()))) {
                        tracing::debug!("an outage was not noted, which is tried again");
                    }
                }
                Ok(Ok(None)) => {
                    self.role = Role::Watching(None);
                    return;
                }
                Ok(Err(_)) | Err(_) => {
                    tracing::debug!("a probe was not noted, which is tried again");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
