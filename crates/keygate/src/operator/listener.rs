use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use keygate_control::Control;
use keygate_storage::StorageError;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

use super::{Command, Reply, socket_path};
use crate::failure::Failure;

/// How long to wait when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
        origin: String,
    ) -> Result<Self, Failure> {
        let path = socket_path(data);
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(StorageError::InUse(data.display().to_string()).into());
        }
        let _ = std::fs::remove_file(&path);
        let listener = bind(&path).map_err(|error| {
            Failure::new(format!(
                "The socket {} for the operator's commands cannot be made ({error}).",
                path.display()
            ))
        })?;
        let task = tokio::spawn(accept(listener, control, origin.into()));
        Ok(Self { path, task })
    }

    /// Stops listening. Commands under way are cut off; what they have changed is whole.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
        let _ = std::fs::remove_file(&self.path);
    }
}

fn bind(path: &Path) -> std::io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn accept(listener: UnixListener, control: Arc<Control>, origin: Arc<str>) {
    let mut commands = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (control, origin) = (control.clone(), origin.clone());
                    commands.spawn(async move {
                        if let Err(error) = answer(stream, &control, &origin).await {
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

/// One line of JSON in, one line of JSON out.
async fn answer(stream: UnixStream, control: &Control, origin: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let reply = match serde_json::from_str::<Command>(&line) {
        Ok(command) => match command.execute(control, origin).await {
            Ok(value) => Reply::Done(value),
            Err(problem) => Reply::Refused(problem.message.into_owned()),
        },
        Err(_) => Reply::Refused(
            "The running keygate does not know this command. Use the same version for both.".into(),
        ),
    };
    let mut line = serde_json::to_string(&reply).expect("strings serialise");
    line.push('\n');
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await
}
