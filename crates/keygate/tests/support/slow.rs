use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    time::{MissedTickBehavior, interval},
};

use super::http2;

/// A client that begins something and does not go on.
#[derive(Clone)]
pub struct Slow {
    /// What it says at once.
    pub says: Vec<u8>,
    /// What it says after that, a piece each second.
    pub drips: Vec<Vec<u8>>,
    pub reading: Reading,
}

/// What a client does with what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It reads it.
    All,
    /// It reads it, and answers HTTP/2's questions whether it is there.
    Frames,
    /// It leaves it.
    Nothing,
}

/// How many clients are connecting at a time: listeners have room for so many that they have not accepted.
pub struct Sockets(Semaphore);

impl Sockets {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(200)))
    }

    /// A connection, and since when it was to come about.
    async fn connect(
        &self,
        address: SocketAddr,
        reading: Reading,
    ) -> io::Result<(TcpStream, Instant)> {
        let _place = self.0.acquire().await.expect("it is never closed");
        let began = Instant::now();
        let socket = TcpSocket::new_v4()?;
        if reading == Reading::Nothing {
            // So that little is enough to leave no room: the other's buffer goes by the size of segments.
            socket.set_recv_buffer_size(4_096)?;
            SockRef::from(&socket).set_tcp_mss(536)?;
        }
        Ok((socket.connect(address).await?, began))
    }
}

impl Slow {
    /// A client that says this and then nothing.
    pub fn saying(bytes: impl AsRef<[u8]>) -> Self {
        Self {
            says: bytes.as_ref().to_vec(),
            drips: Vec::new(),
            reading: Reading::All,
        }
    }

    /// The same, and then this, a byte each second.
    pub fn dripping(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.drips = bytes.as_ref().iter().map(|byte| vec![*byte]).collect();
        self
    }

    /// One that speaks HTTP/2, takes so much of each answer, and both asks and answers whether the other is
    /// there.
    pub fn pinging(window: u32, then: &[Vec<u8>]) -> Self {
        Self {
            says: [http2::beginning(window), then.concat()].concat(),
            drips: (0..60).map(ping_now_and_then).collect(),
            reading: Reading::Frames,
        }
    }

    /// One that asks for this and reads nothing of what is answered, but goes on talking.
    pub fn leaving_unread(request: impl AsRef<[u8]>) -> Self {
        Self {
            reading: Reading::Nothing,
            ..Self::saying(request).dripping([b'\r'; 60])
        }
    }

    /// Connects; after how long it is given up.
    pub async fn until_given_up(&self, sockets: &Sockets, address: SocketAddr) -> Duration {
        let connected = sockets.connect(address, self.reading).await;
        let (mut stream, began) = connected.expect("it listens");
        // Whatever goes wrong from here on, it is the end of the connection.
        let _ = self.hold(&mut stream).await;
        began.elapsed()
    }

    async fn hold(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(&self.says).await?;
        let mut drips = self.drips.iter();
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut read = Vec::new();
        loop {
            tokio::select! {
                received = stream.read_buf(&mut read), if self.reading != Reading::Nothing => {
                    if received? == 0 {
                        return Ok(());
                    }
                    if self.reading == Reading::Frames {
                        stream.write_all(&http2::answer_pings(&mut read)).await?;
                    } else {
                        read.clear();
                    }
                }
                _ = ticks.tick(), if drips.len() > 0 => {
                    let drip = drips.next().expect("there is one");
                    stream.write_all(drip).await?;
                }
                else => std::future::pending().await,
            }
        }
    }
}

/// What is said each second so that there is a question every tenth one.
fn ping_now_and_then(second: u32) -> Vec<u8> {
    if second % 10 == 5 {
        http2::ping()
    } else {
        Vec::new()
    }
}

/// Lets this process have as many files open as it may, of which it takes so many.
pub fn raise_open_files(needed: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let is_enough = maximum.is_none_or(|maximum| maximum >= needed);
    assert!(is_enough, "{needed} files have to be open: ulimit -Hn");
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("it may be raised as far");
}
