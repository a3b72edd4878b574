//! The status page, when it is full.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use keygate_core::{Clock, SystemClock};
use keygate_storage::Store;
use keygate_storage_sqlite::testing::fill_status;
use tempfile::TempDir;

use crate::{
    Failure,
    rivals::keygate,
    server::{SERVER_CORE, Server},
    world::free_port,
};

/// How many upstreams there are beside keygate's own three components.
const UPSTREAMS: usize = 7;
/// How often each page is asked for, and how far apart: longer than it is kept in memory, in all.
const TIMES: u32 = 150;
const PAUSE: Duration = Duration::from_millis(100);

/// What ten components cost that were probed for 90 days.
pub(crate) struct FullStatus {
    /// What the database has on the disk, in bytes.
    pub(crate) database: u64,
    pub(crate) pages: Vec<FullPage>,
}

/// What a page took from the request to its last byte.
pub(crate) struct FullPage {
    pub(crate) path: &'static str,
    pub(crate) bytes: usize,
    /// The first one after the start, when it may have to wait until there is something in memory.
    pub(crate) first: Duration,
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
}

/// Fills a database with a past, and asks for what is shown of it.
pub(crate) fn status() -> Result<FullStatus, Failure> {
    eprintln!("The status page");
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    std::fs::create_dir(&data)?;
    let path = data.join("keygate.db");
    let upstreams: Vec<String> = (0..UPSTREAMS).map(upstream_path).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(keygate_storage_sqlite::open(&path)?.close());
    fill_status(&path, &upstreams, SystemClock.now());
    let database = std::fs::metadata(&path)?.len();
    let pages = ["/status", "/api/status"].map(|page| full_page(folder.path(), &data, page));
    Ok(FullStatus {
        database,
        pages: pages.into_iter().collect::<Result<_, _>>()?,
    })
}

fn upstream_path(number: usize) -> String {
    format!("/v1/upstream-{number}")
}

fn full_page(
    folder: &std::path::Path,
    data: &std::path::Path,
    path: &'static str,
) -> Result<FullPage, Failure> {
    let mut upstreams = String::new();
    for number in 0..UPSTREAMS {
        let path = upstream_path(number);
        let _ = write!(
            upstreams,
            "[[upstream]]\npath = \"{path}\"\nurl = \"http://127.0.0.1:9\"\n"
        );
    }
    let port = free_port()?;
    let command = keygate::with_more(folder, data, port, &upstreams)?;
    let _server = Server::start(SERVER_CORE, &command, port)?;
    let (first, bytes) = ask(port, path)?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        thread::sleep(PAUSE);
        times.push(ask(port, path)?.0);
    }
    times.sort_unstable();
    Ok(FullPage {
        path,
        bytes,
        first,
        median: times[times.len() / 2],
        longest: times[times.len() - 1],
    })
}

/// How long a page takes to come, and how long it is.
fn ask(port: u16, path: &str) -> Result<(Duration, usize), Failure> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(format!("{path} was not answered with 200").into());
    }
    Ok((began.elapsed(), answer.len()))
}
