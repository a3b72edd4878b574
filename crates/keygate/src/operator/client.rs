use std::{io::ErrorKind, path::Path, sync::Arc, time::Duration};

use keygate_storage::{StorageError, Store};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{Command, Reply, Request, database_name, socket_path};
use crate::{
    config::{Database, Settings},
    failure::Failure,
    server::{bind_hasher, control, create_data_folder},
    store,
};

/// How often, and how long apart, to look again while another process has the database but does
/// not listen: it is starting, or it is another command.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Runs a command: in the running keygate if there is one, otherwise here.
pub(crate) async fn run(settings: &Settings, command: Command) -> Result<Value, Failure> {
    let creates = matches!(command, Command::CreateAccount { .. });
    if let Database::Sqlite(path) = &settings.database
        && !creates
        && !path.exists()
    {
        return Err(Failure::new(format!(
            "There is no keygate data in {}. Choose its folder with --data, or make the first account with keygate account create.",
            settings.data.display()
        )));
    }
    for _ in 0..TRIES {
        if let Some(stream) = connect(&settings.data).await? {
            let database = database_name(&settings.database);
            return ask(stream, &Request { database, command }).await;
        }
        if matches!(settings.database, Database::Sqlite(_)) {
            create_data_folder(&settings.data)?;
        }
        match store::open(&settings.database).await {
            Ok(store) => return run_here(settings, store, command).await,
            Err(StorageError::InUse(_)) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(StorageError::InUse(settings.database.to_string()).into())
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
        Err(error) => Err(Failure::new(format!(
            "The running keygate cannot be reached at {} ({error}). Run the command as the user that runs keygate.",
            path.display()
        ))),
    }
}

async fn ask(stream: UnixStream, request: &Request) -> Result<Value, Failure> {
    let broken = |error: std::io::Error| {
        Failure::new(format!(
            "The running keygate broke off ({error}). Check with a list command whether the change was made."
        ))
    };
    let mut stream = BufReader::new(stream);
    let mut line = serde_json::to_string(request).expect("strings serialise");
    line.push('\n');
    stream.write_all(line.as_bytes()).await.map_err(broken)?;
    line.clear();
    stream.read_line(&mut line).await.map_err(broken)?;
    match serde_json::from_str(&line) {
        Ok(Reply::Done(value)) => Ok(value),
        Ok(Reply::Refused(why)) => Err(Failure::new(why)),
        Err(_) => Err(broken(ErrorKind::UnexpectedEof.into())),
    }
}

async fn run_here(
    settings: &Settings,
    store: Arc<dyn Store>,
    command: Command,
) -> Result<Value, Failure> {
    let control = control(settings, store.clone());
    bind_hasher(&control).await?;
    let result = command
        .execute(&control, &settings.origin(settings.listen))
        .await;
    store.close().await;
    Ok(result?)
}
