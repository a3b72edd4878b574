//! Server-sent events through the gateway: at once, and without a trace once the client is gone.

mod support;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::{Client, Response};
use support::{World, eventually};

const STREAMS: usize = 20;
const ABORTED: usize = 1_000;
const AT_ONCE: usize = 50;

impl World {
    async fn stream(&self) -> Response {
        let request = self.client.get(format!("{}/v1/stream", self.program.url));
        let answer = request.bearer_auth(&self.key).send().await;
        answer.expect("it answers")
    }
}

/// How long after it was sent an event arrives.
fn lag(event: &[u8], epoch: Instant) -> Duration {
    let text = std::str::from_utf8(event).expect("UTF-8");
    let micros = text.trim().strip_prefix("data: ").expect("an event");
    let sent = Duration::from_micros(micros.parse().expect("a number"));
    epoch.elapsed().saturating_sub(sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_at_once_and_aborted_streams_leave_nothing() {
    let mut world = World::with_scopes(&["read"]).await;
    let unpooled = Client::builder().pool_max_idle_per_host(0).build();
    world.client = unpooled.expect("a client");
    first_events_arrive_within_50_ms(&world).await;
    aborted_streams_leave_nothing(&world).await;
}

async fn first_events_arrive_within_50_ms(world: &World) {
    for _ in 0..STREAMS {
        let answer = world.stream().await;
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        let mut events = answer.bytes_stream();
        for _ in 0..3 {
            let event = events.next().await.expect("an event").expect("an event");
            let lag = lag(&event, world.upstream.epoch());
            assert!(lag < Duration::from_millis(50), "it took {lag:?}");
        }
    }
}

async fn aborted_streams_leave_nothing(world: &World) {
    eventually("the streams so far are over", async || {
        world.upstream.active() == 0
    })
    .await;
    let before = world.program.open_descriptors();
    for _ in 0..ABORTED / AT_ONCE {
        let opening = (0..AT_ONCE).map(|_| async {
            let mut events = world.stream().await.bytes_stream();
            events.next().await.expect("an event").expect("an event");
            events
        });
        let streams = futures_util::future::join_all(opening).await;
        assert!(world.upstream.active() >= AT_ONCE);
        drop(streams);
    }
    let began = Instant::now();
    eventually("no request is left at the upstream", async || {
        world.upstream.active() == 0
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    eventually("no descriptor is left", async || {
        world.program.open_descriptors() <= before
    })
    .await;
    assert_eq!(world.upstream.seen().len(), STREAMS + ABORTED);
}
