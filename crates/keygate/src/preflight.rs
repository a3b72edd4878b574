//! What has to be so before the server starts: `serve` refuses by it, and the doctor shows it. Nothing is
//! changed by looking.

mod database;

use std::iter;

use keygate_http::RequestLine;
use keygate_storage::StorageError;
use keygate_traces::Traces;

use crate::{
    config::Settings,
    failure::Failure,
    finding::{Finding, State},
    noted::{check_note, choose_database},
    operator::{self, Health, RunningKeygate},
    server::{Listeners, check_data_folder, check_open_files},
    telemetry,
};

pub(crate) use database::Inspected;

const DATA_FOLDER: &str = "data folder";
const DATABASE: &str = "database";
const SOCKET: &str = "operator socket";
const RUNNING: &str = "running keygate";

/// What was found, and what was made for it outside the data.
pub(crate) struct Preflight {
    pub(crate) found: Vec<Finding>,
    /// Nobody else gets these addresses for as long as it lives.
    pub(crate) listeners: Listeners,
    pub(crate) traces: Option<Traces>,
    /// What there is to know of the database, where it can be used.
    pub(crate) database: Option<Inspected>,
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// Who is about to start, and cannot beside a keygate that runs.
    Server,
    /// Who may look at a keygate that runs.
    Doctor,
}

/// Looks at everything, one after another. Where no database is named, that becomes the settings' of which
/// is noted that it is.
pub(crate) async fn look(settings: &mut Settings, viewer: Viewer) -> Preflight {
    let mut found = Vec::new();
    or_note("open files", check_open_files(), &mut found);
    let is_usable = data_folder(settings, &mut found);
    let running = running(settings, viewer, &mut found).await;
    let database = if is_usable && choose(settings, &mut found) {
        database::look(settings, viewer, running.as_ref(), &mut found).await
    } else {
        None
    };
    let line = RequestLine::without_keys(settings.format.prefix());
    let traces = telemetry::traces(&settings.traces, &line);
    let traces = or_note("traces", traces, &mut found).flatten();
    let (listeners, of_ports) = Listeners::bind(settings, running.as_ref());
    found.extend(of_ports);
    Preflight {
        found,
        listeners,
        traces,
        database,
    }
}

impl Preflight {
    /// Fails by the first thing that is wrong.
    pub(crate) fn refuse(&self) -> Result<(), Failure> {
        let mut wrong = self
            .found
            .iter()
            .filter(|found| found.state == State::Wrong);
        wrong.next().map_or(Ok(()), |found| Err(found.into()))
    }

    /// Says in the log what may not be meant so.
    pub(crate) fn log_warnings(&self) {
        let warnings = self.found.iter();
        for found in warnings.filter(|found| found.state == State::Warning) {
            tracing::warn!(check = found.check, "{}", Failure::from(found));
        }
    }
}

/// Whether what is in the data folder can be looked at.
fn data_folder(settings: &Settings, found: &mut Vec<Finding>) -> bool {
    match check_data_folder(&settings.data) {
        Ok(of_folder) => {
            found.push(of_folder);
            true
        }
        Err(failure) => {
            found.push(Finding::failure(DATA_FOLDER, &failure));
            false
        }
    }
}

async fn running(
    settings: &Settings,
    viewer: Viewer,
    found: &mut Vec<Finding>,
) -> Option<RunningKeygate> {
    let data = &settings.data;
    or_note(SOCKET, operator::check_socket(data), found)?;
    let running = operator::find_running(settings).await;
    let running = or_note(SOCKET, running, found)??;
    if viewer == Viewer::Server {
        let in_use = StorageError::InUse(data.display().to_string());
        found.push(Finding::failure(SOCKET, &in_use.into()));
    } else if !running.is_of_database {
        found.push(Finding::warning(
            SOCKET,
            format!(
                "The keygate that runs in {} uses another database: {}.",
                data.display(),
                running.database
            ),
            "What is reported here about the database is about the one in the configuration.",
        ));
    }
    if viewer == Viewer::Doctor {
        found.extend(match operator::health(settings).await {
            Ok(health) => on_health(&health),
            Err(failure) => vec![Finding::failure(RUNNING, &failure)],
        });
    }
    Some(running)
}

/// What a keygate that runs says of itself.
fn on_health(health: &Health) -> Vec<Finding> {
    let state = match &health.unready {
        None => Finding::ok(RUNNING, "A keygate runs on this data, and is ready."),
        Some(why) => Finding::wrong(
            RUNNING,
            format!("The running keygate is not ready: {why}"),
            "Keys in memory are still checked. Its log says more.",
        ),
    };
    let concern = |message: &String| Finding {
        state: State::Warning,
        ..Finding::ok(RUNNING, message.clone())
    };
    let concerns = health.concerns.iter().map(concern);
    iter::once(state).chain(concerns).collect()
}

/// Whether it is known which database it is.
fn choose(settings: &mut Settings, found: &mut Vec<Finding>) -> bool {
    let chosen =
        choose_database(settings).and_then(|()| check_note(&settings.data, &settings.database));
    or_note(DATABASE, chosen, found).is_some()
}

fn or_note<T>(
    check: &'static str,
    checked: Result<T, Failure>,
    found: &mut Vec<Finding>,
) -> Option<T> {
    checked
        .map_err(|failure| found.push(Finding::failure(check, &failure)))
        .ok()
}
