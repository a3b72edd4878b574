use std::{
    fs::Permissions,
    io::ErrorKind,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use keygate_control::Control;
use keygate_storage::StorageError;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

use super::{Named, Reply, Request, Served, database_name, other_database, socket_path};
use crate::{config::Database, failure::Failure, store};

/// How long to wait when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long to wait before the socket is tried again.
const BIND_PAUSE: Duration = Duration::from_secs(1);

/// Takes commands from the operator while the program runs.
pub(crate) struct Listener {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens in the data folder. A socket that nobody listens at is left over from a process that
    /// ended badly.
    pub(crate) fn start(
        data: &Path,
        control: Arc<Control>,
        served: Place,
    ) -> Result<Self, Failure> {
        let path = socket_path(data);
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(StorageError::InUse(data.display().to_string()).into());
        }
        let bound = match bind(&path) {
            Err(error) if !is_fault_of_disk(&error) => {
                return Err(Failure::new(format!(
                    "The socket {} for the operator's commands cannot be created ({error}).",
                    path.display()
                )));
            }
            bound => bound,
        };
        let desk = Desk { control, served };
        let (place, desk) = (path.clone(), Arc::new(desk));
        let task = tokio::spawn(async move {
            let listener = match bound {
                Ok(listener) => listener,
                Err(error) => bind_when_possible(&place, &error).await,
            };
            accept(listener, desk).await;
        });
        Ok(Self { path, task })
    }

    /// Stops listening. Commands under way are cut off; what they have changed is whole.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Keys are checked on a disk that is full or read-only, and commands are taken when it no longer is.
async fn bind_when_possible(path: &Path, error: &std::io::Error) -> UnixListener {
    tracing::error!(%error, "no operator's commands are taken until their socket can be made");
    loop {
        tokio::time::sleep(BIND_PAUSE).await;
        if let Ok(listener) = bind(path) {
            tracing::info!("operator's commands are taken");
            return listener;
        }
    }
}

/// Whether it may work later without anybody changing what this user may do.
fn is_fault_of_disk(error: &std::io::Error) -> bool {
    // EIO has no kind of its own.
    let is_failure = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    let kinds = [
        ErrorKind::ReadOnlyFilesystem,
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
    ];
    is_failure || kinds.contains(&error.kind())
}

fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Where the program that runs is found.
pub(crate) struct Place {
    /// Where people reach it.
    pub(crate) origin: String,
    pub(crate) database: Database,
    /// All that it listens on.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// What commands are carried out with.
struct Desk {
    control: Arc<Control>,
    served: Place,
}

async fn accept(listener: UnixListener, desk: Arc<Desk>) {
    let mut commands = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let desk = desk.clone();
                    commands.spawn(async move {
                        if let Err(error) = desk.answer(stream).await {
                            tracing::debug!("an operator's command broke off: {error}");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "an operator's command was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = commands.join_next() => {}
        }
    }
}

impl Desk {
    /// One line of JSON in, one line of JSON out.
    async fn answer(&self, stream: UnixStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let reply = match serde_json::from_str(&line) {
            Ok(request) => self.carry_out(request).await,
            Err(_) => Reply::Refused(
                "The running keygate does not know this command. Use the same version for both."
                    .into(),
            ),
        };
        let mut line = serde_json::to_string(&reply).expect("strings serialise");
        line.push('\n');
        stream.write_all(line.as_bytes()).await?;
        stream.shutdown().await
    }

    /// Refuses what is meant for another database.
    async fn refuse_other(&self, named: Option<Named>) -> Option<Reply> {
        let Named { name, identity } = named?;
        let own = database_name(&self.served.database);
        if name == own {
            return None;
        }
        let is_server = matches!(self.served.database, Database::Postgres(_));
        match identity {
            None if is_server => return Some(Reply::Identify),
            None => {}
            Some(identity) => {
                let ours = store::identity(&self.served.database).await.ok().flatten();
                if ours == Some(identity) {
                    return None;
                }
            }
        }
        Some(Reply::Refused(other_database(&own, &name)))
    }

    fn served(&self) -> Served {
        Served {
            is_file: matches!(self.served.database, Database::Sqlite(_)),
            name: database_name(&self.served.database),
            addresses: Some(self.served.addresses.clone()),
        }
    }

    async fn carry_out(&self, Request { database, command }: Request) -> Reply {
        if let Some(refusal) = self.refuse_other(database).await {
            return refusal;
        }
        let Some(command) = command else {
            return Reply::Done(json!(self.served()));
        };
        match command.execute(&self.control, &self.served.origin).await {
            Ok(value) => Reply::Done(value),
            Err(problem) => Reply::Refused(Failure::from(problem).to_string()),
        }
    }
}
