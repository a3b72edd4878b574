//! Connections in the hands of the HTTP library, whichever listener they come from.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response, header::TRANSFER_ENCODING};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keygate_gateway::Tunnel;
use keygate_http::{AmbiguousFraming, ClientBody, RequestIds, delay_of};
use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{
    activity::{Activity, Answer, LAST_CALL, UnderWay},
    refusal::Refusals,
    timeout_stream::TimeoutStream,
};

/// How many bytes a request's head may have.
const MAX_HEAD: usize = 64 * 1024;
/// How often a silent HTTP/2 connection is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How many requests one HTTP/2 connection may have under way.
const MAX_STREAMS: u32 = 256;
/// How many bytes of a request may wait to be passed on. There is room in the connection for all its
/// requests, so that those that are stuck don't hold up the others.
const STREAM_WINDOW: u32 = 64 * 1024;

/// Serves HTTP/1 and HTTP/2 by the same deadlines.
pub(super) struct HttpServer {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    keep_alive: Duration,
    refusals: Arc<Refusals>,
}

impl HttpServer {
    /// A server that ends connections on which there was no request for `keep_alive`, and names what it
    /// refuses by `request_ids`.
    pub(super) fn new(keep_alive: Duration, request_ids: Arc<RequestIds>) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            // It would run while a connection is idle, too: `Activity` tells the two apart.
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .enable_connect_protocol()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEAD).expect("it is small"))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(STREAM_WINDOW * MAX_STREAMS);
        Self {
            http1,
            http2,
            keep_alive,
            refusals: Arc::new(Refusals(request_ids)),
        }
    }

    /// Serves a connection until it ends, is idle or stuck for too long, or `draining` changes.
    pub(super) async fn serve<B, A>(
        &self,
        mut stream: TimeoutStream,
        answer: impl Fn(Request<ClientBody>) -> A + Clone + Send + 'static,
        draining: watch::Receiver<()>,
    ) where
        A: Future<Output = Response<B>> + Send + 'static,
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
        B::Data: Send,
    {
        let mut stopping = draining.clone();
        let stop = async {
            let _ = stopping.changed().await;
            sleep(LAST_CALL).await;
        };
        let begun = tokio::select! {
            begun = stream.begins_http2() => begun,
            () = stop => return,
        };
        let Ok(is_http2) = begun else { return };
        let activity = Activity::new(self.keep_alive, is_http2);
        stream.report_to(activity.clone());
        stream.explain_by(self.refusals.clone());
        let requests = activity.clone();
        let sockets = Arc::new(Mutex::new(JoinSet::new()));
        let (opened, stop) = (sockets.clone(), draining.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(ClientBody::new);
            let mut under_way = requests.begin_request(
                request.body().end(),
                request.version(),
                request.headers().contains_key(TRANSFER_ENCODING),
            );
            if under_way.is_ambiguous() {
                request.extensions_mut().insert(AmbiguousFraming);
            }
            if !is_http2 {
                let presence = requests.presence().clone();
                request.extensions_mut().insert(presence);
            }
            let (answer, opened, stop) = (answer.clone(), opened.clone(), stop.clone());
            async move {
                let mut response = answer(request).await;
                if let Some(tunnel) = Tunnel::take_from(&mut response) {
                    under_way.begin_socket();
                    open(&opened, tunnel, under_way, stop);
                    return Ok(response.map(Watched::unwatched));
                }
                if let Some(delay) = delay_of(&response) {
                    // Nobody is waited for but the client.
                    under_way.set_unread(true);
                    sleep(delay).await;
                }
                Ok::<_, Infallible>(response.map(|body| Watched::new(body, under_way)))
            }
        });
        let io = TokioIo::new(stream);
        let ended = if is_http2 {
            drive(
                self.http2.serve_connection(io, service),
                http2::Connection::graceful_shutdown,
                &activity,
                draining,
            )
            .await
        } else {
            drive(
                self.http1.serve_connection(io, service).with_upgrades(),
                http1::UpgradeableConnection::graceful_shutdown,
                &activity,
                draining,
            )
            .await
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended: {error}");
        }
        // Over HTTP/1.1 the socket is what has become of the connection.
        let mut sockets = std::mem::take(&mut *sockets.lock());
        while sockets.join_next().await.is_some() {}
    }
}

/// Runs a socket for as long as its connection is served.
fn open(
    sockets: &Mutex<JoinSet<()>>,
    tunnel: Tunnel,
    under_way: UnderWay,
    stop: watch::Receiver<()>,
) {
    let mut sockets = sockets.lock();
    // Those that have ended.
    while sockets.try_join_next().is_some() {}
    sockets.spawn(async move {
        tunnel.run(stop).await;
        drop(under_way);
    });
}

async fn drive<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    activity: &Arc<Activity>,
    mut draining: watch::Receiver<()>,
) -> Result<(), hyper::Error> {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // What was read already is to be served before the connection is told to end.
        biased;
        ended = connection.as_mut() => return ended,
        () = activity.expired() => {}
        _ = draining.changed() => {}
    }
    shut_down(connection.as_mut());
    tokio::select! {
        ended = connection => ended,
        // It was told. That it confirms it cannot be waited for.
        () = activity.over() => Ok(()),
    }
}

/// The body of an answer, during which its request is under way.
struct Watched<B> {
    body: B,
    /// `None` for what begins a socket, which is then what is under way.
    under_way: Option<UnderWay>,
}

impl<B> Watched<B> {
    fn new(body: B, mut under_way: UnderWay) -> Self
    where
        B: Body,
    {
        let is_bounded = body.size_hint().exact().is_some();
        under_way.begin_answer(if is_bounded {
            Answer::Bounded
        } else {
            Answer::Streaming
        });
        under_way.set_unread(true);
        Self {
            body,
            under_way: Some(under_way),
        }
    }

    fn unwatched(body: B) -> Self {
        Self {
            body,
            under_way: None,
        }
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Some(under_way) = &mut self.under_way {
            under_way.set_unread(polled.is_ready());
        }
        Poll::Ready(ready!(polled))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
