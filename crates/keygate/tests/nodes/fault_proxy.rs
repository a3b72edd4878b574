use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// What stands between a node and its database does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Passes on what comes.
    None,
    /// Passes on all but notifications.
    NoNotifications,
    /// Stands still, as a stopped process does: what comes waits, and new connections too.
    Stopped,
    /// Swallows what comes, as a network does that drops packets. What was open stays useless.
    Dropping,
    /// Breaks off what is open, and what is opened.
    Broken,
}

/// A proxy between a node and its database.
pub struct FaultProxy {
    pub port: u16,
    fault: watch::Sender<Fault>,
    latency: watch::Sender<Duration>,
    accepting: JoinHandle<()>,
    open: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl FaultProxy {
    pub async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (fault, receiver) = watch::channel(Fault::None);
        let (latency, latencies) = watch::channel(Duration::ZERO);
        let open = Arc::<Mutex<Vec<JoinHandle<()>>>>::default();
        let opened = open.clone();
        let server = SocketAddr::from(([127, 0, 0, 1], server_port));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let passing = pass(client, server, receiver.clone(), latencies.clone());
                let passing = tokio::spawn(passing);
                opened.lock().expect("not poisoned").push(passing);
            }
        });
        Self {
            port,
            fault,
            latency,
            accepting,
            open,
        }
    }

    /// How far away the database is from now on: the time there and back.
    pub fn set_latency(&self, latency: Duration) {
        self.latency.send_replace(latency);
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
        if fault == Fault::Broken {
            for connection in self.open.lock().expect("not poisoned").drain(..) {
                connection.abort();
            }
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.set(Fault::Broken);
    }
}

async fn pass(
    client: TcpStream,
    server: SocketAddr,
    mut fault: watch::Receiver<Fault>,
    latency: watch::Receiver<Duration>,
) {
    let running = |fault: &Fault| *fault != Fault::Stopped;
    if fault.wait_for(running).await.is_err() || *fault.borrow() == Fault::Broken {
        return;
    }
    // One end that closes closes the other, as the halves are dropped together.
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket option");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (on_their_way, arriving) = mpsc::unbounded_channel();
    tokio::select! {
        () = forward(from_client, to_server, fault.clone()) => {}
        () = read_messages(from_server, on_their_way, latency) => {}
        () = forward_messages(arriving, to_client, fault) => {}
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut fault: watch::Receiver<Fault>,
) {
    let mut buffer = vec![0; 65_536];
    let mut is_useless = false;
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        is_useless |= is_swallowed(&mut fault).await;
        if !is_useless && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Waits while everything stands still. True if what has come is lost.
async fn is_swallowed(fault: &mut watch::Receiver<Fault>) -> bool {
    let running = fault.wait_for(|fault| *fault != Fault::Stopped).await;
    running.is_ok_and(|fault| *fault == Fault::Dropping)
}

/// A message of the server, and when it arrives.
type Message = (Instant, Vec<u8>);

/// Reads the server's messages, each of which has a type and a length (PostgreSQL's protocol version
/// 3). There is no encryption here, and so no message without them.
async fn read_messages(
    mut from: OwnedReadHalf,
    on_their_way: mpsc::UnboundedSender<Message>,
    latency: watch::Receiver<Duration>,
) {
    loop {
        let mut head = [0; 5];
        if from.read_exact(&mut head).await.is_err() {
            break;
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut message = head.to_vec();
        message.resize(usize::try_from(length).expect("small") + 1, 0);
        if from.read_exact(&mut message[5..]).await.is_err() {
            break;
        }
        let arrives = Instant::now() + *latency.borrow();
        if on_their_way.send((arrives, message)).is_err() {
            break;
        }
    }
    // What is on its way still arrives; then the connection ends.
    drop(on_their_way);
    std::future::pending::<()>().await;
}

async fn forward_messages(
    mut arriving: mpsc::UnboundedReceiver<Message>,
    mut to: OwnedWriteHalf,
    mut fault: watch::Receiver<Fault>,
) {
    const NOTIFICATION: u8 = b'A';
    let mut is_useless = false;
    while let Some((arrives, message)) = arriving.recv().await {
        sleep_until(arrives).await;
        is_useless |= is_swallowed(&mut fault).await;
        let is_silenced = message[0] == NOTIFICATION && *fault.borrow() == Fault::NoNotifications;
        if !is_useless && !is_silenced && to.write_all(&message).await.is_err() {
            return;
        }
    }
}
