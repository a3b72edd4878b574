use std::{
    io::ErrorKind, net::SocketAddr, os::unix::fs::MetadataExt, path::Path, sync::Arc,
    time::Duration,
};

use keygate_storage::{StorageError, Store};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{Command, Health, Named, Reply, Request, Served, database_name, socket_path};
use crate::{
    config::{Database, Settings},
    failure::Failure,
    noted::choose_database,
    server::create_data_folder,
    store::{self, Opener},
    use_cases::{bind_keys, control},
};

/// How often, and how long apart, to look again while another process has the database but does
/// not listen: it is starting, or it is another command.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// How long the running keygate may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs a command: in the running keygate if there is one, otherwise here.
///
/// Where a keygate runs, and no database is named, it is the one that it uses.
pub(crate) async fn run(settings: &mut Settings, command: Command) -> Result<Value, Failure> {
    for tried in 0..TRIES {
        if let Some(stream) = connect(&settings.data).await? {
            return ask(settings, stream, Some(command)).await;
        }
        if tried == 0 {
            choose_database(settings)?;
            refuse_missing(settings, &command)?;
        }
        if matches!(settings.database, Database::Sqlite(_)) {
            create_data_folder(&settings.data)?;
        }
        match store::open(&settings.database, Opener::Command).await {
            Ok(store) => return run_here(settings, store, command).await,
            Err(StorageError::InUse(_)) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(StorageError::InUse(settings.database.to_string()).into())
}

/// The database that is meant: that of the running keygate if there is one, and not the one that is named
/// if that is another.
pub(crate) async fn locate(settings: &mut Settings) -> Result<Database, Failure> {
    let Some(stream) = connect(&settings.data).await? else {
        choose_database(settings)?;
        return Ok(settings.database.clone());
    };
    let Served { is_file, name, .. } = ask(settings, stream, None).await?;
    if is_file {
        return Ok(Database::Sqlite(name.into()));
    }
    Database::at(&format!("postgres://{name}"), Path::new(""))
}

/// A keygate that runs on a data folder.
pub(crate) struct RunningKeygate {
    /// What its database is called.
    pub(crate) database: String,
    /// Whether that is the one of the settings.
    pub(crate) is_of_database: bool,
    /// All that it listens on; nothing, where it is of a version that does not say.
    pub(crate) addresses: Option<Vec<SocketAddr>>,
}

/// The keygate that runs on the data folder, if there is one. Fails where it says nothing.
pub(crate) async fn find_running(settings: &Settings) -> Result<Option<RunningKeygate>, Failure> {
    // In a room of its own: it asks databases.
    patiently(settings, Box::pin(ask_running(settings))).await
}

/// How the keygate is that runs on the data folder, whichever database it uses.
pub(crate) async fn health(settings: &Settings) -> Result<Health, Failure> {
    let asked = async {
        let stream = connect(&settings.data).await?;
        let stream = stream.ok_or_else(|| broken(ErrorKind::ConnectionReset.into()))?;
        let request = Request {
            database: None,
            command: Some(Command::ReportHealth),
        };
        read_done(exchange(stream, &request).await?)
    };
    patiently(settings, asked).await
}

async fn patiently<T>(
    settings: &Settings,
    asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let asked = tokio::time::timeout(PATIENCE, asked).await;
    asked.unwrap_or_else(|_| {
        Err(Failure::new(format!(
            "The keygate that runs in the data folder {} does not respond. Check its log, or stop it.",
            settings.data.display()
        )))
    })
}

async fn ask_running(settings: &Settings) -> Result<Option<RunningKeygate>, Failure> {
    let Some(stream) = connect(&settings.data).await? else {
        return Ok(None);
    };
    let request = Request {
        database: None,
        command: None,
    };
    let served: Served = read_done(exchange(stream, &request).await?)?;
    let is_of_database = match connect(&settings.data).await? {
        Some(stream) => ask::<Served>(settings, stream, None).await.is_ok(),
        None => return Ok(None),
    };
    Ok(Some(RunningKeygate {
        database: served.name,
        is_of_database,
        addresses: served.addresses,
    }))
}

fn read_done<T: DeserializeOwned>(reply: Reply) -> Result<T, Failure> {
    match reply {
        Reply::Done(said) => {
            serde_json::from_value(said).map_err(|_| broken(ErrorKind::InvalidData.into()))
        }
        Reply::Refused(why) => Err(Failure::new(why)),
        Reply::Identify => Err(broken(ErrorKind::InvalidData.into())),
    }
}

/// Whether a keygate runs on this data folder.
pub(crate) async fn is_running(data: &Path) -> bool {
    matches!(connect(data).await, Ok(Some(_)))
}

async fn connect(data: &Path) -> Result<Option<UnixStream>, Failure> {
    let path = socket_path(data);
    match UnixStream::connect(&path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => {
            let owner = path
                .metadata()
                .map(|found| format!(", of user {}", found.uid()));
            Err(Failure::new(format!(
                "Cannot tell whether keygate is running: its socket {}{} cannot be reached ({error}). Run this as the user that runs keygate, or remove the socket if keygate is not running.",
                path.display(),
                owner.unwrap_or_default()
            )))
        }
    }
}

/// Whether there is anything that the command could be about.
fn refuse_missing(settings: &Settings, command: &Command) -> Result<(), Failure> {
    let creates = matches!(command, Command::CreateAccount { .. });
    let is_missing =
        matches!(&settings.database, Database::Sqlite(path) if !creates && !path.exists());
    if !is_missing {
        return Ok(());
    }
    Err(Failure::new(format!(
        "There is no keygate data in {}. Choose its folder with --data, or create the first account with keygate account create.",
        settings.data.display()
    )))
}

/// Has the running keygate carry a command out, if it uses the database that the settings name.
async fn ask<T: DeserializeOwned>(
    settings: &Settings,
    stream: UnixStream,
    command: Option<Command>,
) -> Result<T, Failure> {
    let mut request = Request {
        database: named(settings).await,
        command,
    };
    let reply = match exchange(stream, &request).await? {
        Reply::Identify => {
            let identity = store::identity(&settings.database).await?;
            if let Some(named) = &mut request.database {
                named.identity = identity;
            }
            let stream = connect(&settings.data).await?;
            let stream = stream.ok_or_else(|| broken(ErrorKind::ConnectionReset.into()))?;
            exchange(stream, &request).await?
        }
        reply => reply,
    };
    read_done(reply)
}

async fn named(settings: &Settings) -> Option<Named> {
    if !settings.database_is_named {
        return None;
    }
    let identity = match &settings.database {
        // It takes no connection to tell. One that is not there is none that runs.
        Database::Sqlite(_) => {
            let identity = store::identity(&settings.database).await.ok().flatten();
            Some(identity.unwrap_or_default())
        }
        Database::Postgres(_) => None,
    };
    Some(Named {
        name: database_name(&settings.database),
        identity,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn broken(error: std::io::Error) -> Failure {
    Failure::new(format!(
        "The connection to the running keygate was lost ({error}). Check with a list command whether the change was made."
    ))
}

async fn exchange(stream: UnixStream, request: &Request) -> Result<Reply, Failure> {
    let mut stream = BufReader::new(stream);
    let mut line = serde_json::to_string(request).expect("strings serialise");
    line.push('\n');
    stream.write_all(line.as_bytes()).await.map_err(broken)?;
    line.clear();
    stream.read_line(&mut line).await.map_err(broken)?;
    serde_json::from_str(&line).map_err(|_| broken(ErrorKind::UnexpectedEof.into()))
}

/// By the rules of the last server, where these settings do not say otherwise: a key that is issued here
/// is one that the next server knows.
async fn run_here(
    settings: &mut Settings,
    store: Arc<dyn Store>,
    command: Command,
) -> Result<Value, Failure> {
    settings.follow(store.key_rules().await?);
    let control = control(settings, store.clone());
    bind_keys(&control).await?;
    let result = command
        .execute(&control, &settings.origin(settings.server.listen))
        .await;
    store.close().await;
    Ok(result?)
}
