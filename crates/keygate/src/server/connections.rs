use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{FutureExt, TryFutureExt};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use keygate_gateway::Outcome;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{app::App, holding::Holding, patience::Patience};

/// How long a client may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes a request's head may have.
const MAX_HEAD: usize = 64 * 1024;
/// How often a silent HTTP/2 connection is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How many requests one HTTP/2 connection may have under way.
const MAX_STREAMS: u32 = 256;
/// How long to wait when the system has no more descriptors.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often idle connections to upstreams are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How long requests under way may take once the program is to stop.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked then whether any is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Accepts connections until `stop`, then lets those under way finish.
///
/// While they do, new ones are still taken, so that whoever asks hears from `/readyz` that the
/// program is to end, and nobody is turned away before that is known.
pub(super) async fn serve(listener: TcpListener, app: Arc<App>, stop: impl Future<Output = ()>) {
    let acceptor = Acceptor {
        listener,
        app,
        server: Arc::new(connection_builder()),
    };
    let before = Drain::new();
    acceptor.accept_until(stop, &before).await;
    let after = Drain::new();
    let drained = tokio::time::timeout(DRAIN_TIMEOUT, async {
        acceptor.accept_until(before.drain(), &after).await;
        acceptor.accept_waiting(&after);
        drop(acceptor);
        after.drain().await;
    });
    if drained.await.is_err() {
        tracing::warn!("requests were still under way after 30 seconds, and were cut off");
    }
}

/// Ends when nothing is under way, a second after it is begun at the earliest. Clients that are silent
/// or gone do not say goodbye, and are not waited for.
pub(super) async fn quiet(is_anything_under_way: impl Fn() -> bool) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !is_anything_under_way() {
            return;
        }
    }
}

/// Tells connections to end, and knows when they have: each holds a receiver.
struct Drain(watch::Sender<()>);

impl Drain {
    fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    async fn drain(self) {
        let _ = self.0.send(());
        self.0.closed().await;
    }
}

struct Acceptor {
    listener: TcpListener,
    app: Arc<App>,
    server: Arc<auto::Builder<TokioExecutor>>,
}

impl Acceptor {
    async fn accept_until(&self, stop: impl Future<Output = ()>, drain: &Drain) {
        let mut stop = std::pin::pin!(stop);
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                _ = sweep.tick() => self.app.express.gateway.sweep(),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.serve(stream, peer.ip(), drain),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = &mut stop => return,
            }
        }
    }

    /// Takes the connections that the system has accepted already, which would be reset otherwise.
    fn accept_waiting(&self, drain: &Drain) {
        while let Some(Ok((stream, peer))) = self.listener.accept().now_or_never() {
            self.serve(stream, peer.ip(), drain);
        }
    }

    fn serve(&self, stream: TcpStream, peer: IpAddr, drain: &Drain) {
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            stream: Patience::with(stream),
            peer,
            app: self.app.clone(),
            server: self.server.clone(),
            draining: drain.0.subscribe(),
        };
        tokio::spawn(connection.run());
    }
}

struct Connection {
    stream: Patience,
    peer: IpAddr,
    app: Arc<App>,
    server: Arc<auto::Builder<TokioExecutor>>,
    draining: watch::Receiver<()>,
}

impl Connection {
    async fn run(mut self) {
        let peer = self.app.peer(self.peer);
        let express = &self.app.express;
        let draining = self.draining.clone();
        match express.serve(&mut self.stream, peer, draining).await {
            Outcome::Closed => {}
            Outcome::HandOver(bytes) => {
                self.stream.read_first(bytes);
                self.run_in_full().await;
            }
        }
    }

    /// Serves whatever HTTP there is.
    async fn run_in_full(self) {
        let Self {
            stream,
            peer,
            app,
            server,
            mut draining,
        } = self;
        let is_unread = stream.is_unread();
        let under_way = Arc::new(());
        let held = under_way.clone();
        let service = service_fn(move |request| {
            let held = held.clone();
            let answer = app.clone().answer(peer, request);
            // Until the last of the answer is taken, and its body dropped.
            answer.map_ok(|answer| answer.map(|body| Holding::new(body, held)))
        });
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            // What was handed over is to be read before the connection is told to end.
            biased;
            ended = connection.as_mut() => ended,
            _ = draining.changed() => {
                connection.as_mut().graceful_shutdown();
                // The service holds one, too.
                let is_busy = || Arc::strong_count(&under_way) > 2 || is_unread.load(Ordering::Relaxed);
                tokio::select! {
                    ended = connection => ended,
                    () = quiet(is_busy) => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended: {error}");
        }
    }
}

/// What serves connections, whatever HTTP they speak.
pub(super) fn connection_builder() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .max_concurrent_streams(MAX_STREAMS);
    server
}
