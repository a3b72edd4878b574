use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::Instant,
};

use super::{crowd::Crowd, timeout_stream::TimeoutStream};

/// How long to wait when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often it is said that connections cannot be accepted.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);
/// How often a handler may tidy up.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How long requests under way may take once the program is to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the connections of a listener.
pub(super) trait Handler: Send + Sync + 'static {
    /// Serves a connection of `peer` until it ends, or `draining` changes and what is under way is done.
    fn serve(
        self: Arc<Self>,
        stream: TimeoutStream,
        peer: SocketAddr,
        draining: watch::Receiver<()>,
    ) -> impl Future<Output = ()> + Send;

    /// Gives back what is needed no longer.
    fn sweep(&self) {}
}

/// Accepts connections until `stop`, then lets those under way finish.
///
/// While they do, new ones are still taken, so that whoever asks hears from `/readyz` that the
/// program is to end, and nobody is turned away before that is known. They are to end from their
/// beginning, or those that say nothing would be waited for once more.
pub(super) async fn serve(
    listener: TcpListener,
    handler: Arc<impl Handler>,
    crowd: Arc<Crowd>,
    stop: impl Future<Output = ()>,
) {
    let mut acceptor = Acceptor {
        listener,
        handler,
        crowd,
        is_draining: false,
        complained_at: None,
    };
    let before = Drain::new();
    acceptor.accept_until(stop, &before).await;
    acceptor.is_draining = true;
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

struct Acceptor<H> {
    listener: TcpListener,
    handler: Arc<H>,
    crowd: Arc<Crowd>,
    is_draining: bool,
    complained_at: Option<Instant>,
}

impl<H: Handler> Acceptor<H> {
    async fn accept_until(&mut self, stop: impl Future<Output = ()>, drain: &Drain) {
        let mut stop = std::pin::pin!(stop);
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                _ = sweep.tick() => self.handler.sweep(),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.serve(stream, peer, drain),
                    Err(error) => {
                        self.complain(&error.to_string());
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = &mut stop => return,
            }
        }
    }

    /// Takes the connections that the system has accepted already, which would be reset otherwise.
    fn accept_waiting(&mut self, drain: &Drain) {
        while let Some(Ok((stream, peer))) = self.listener.accept().now_or_never() {
            self.serve(stream, peer, drain);
        }
    }

    fn serve(&mut self, stream: TcpStream, peer: SocketAddr, drain: &Drain) {
        let handler = self.handler.clone();
        let mut draining = drain.0.subscribe();
        if self.is_draining {
            draining.mark_changed();
        }
        let is_admitted = self.crowd.admit(|seat| {
            let stream = TimeoutStream::accepted(stream, seat);
            handler.serve(stream, peer, draining)
        });
        if !is_admitted {
            self.complain("there are as many as this program may have, and all are in use");
        }
    }

    /// Where descriptors have run out, accepting fails many times a second.
    fn complain(&mut self, error: &str) {
        let now = Instant::now();
        let is_new = |at: Instant| now.duration_since(at) >= COMPLAIN_EVERY;
        if self.complained_at.is_none_or(is_new) {
            self.complained_at = Some(now);
            tracing::warn!(
                error,
                "connections cannot be accepted; this is said once a minute"
            );
        }
    }
}
