//! Everything at once: clients of each slow kind, few descriptors and little memory, an upstream that hangs
//! and a resolver that is silent.

use std::{
    env,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use futures_util::future::join_all;
use rustix::process::nice;
use tokio::{
    net::{TcpListener, UdpSocket},
    runtime::{self, Handle},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, interval_at},
};

use crate::{
    kinds,
    support::{
        Account, Caller, MIB, MemoryLimit, Program, Slow, Sockets, Spawn, Upstream, eventually,
        raise_open_files,
    },
};

/// How many clients there are of each slow kind.
const CLIENTS: u32 = 2_000;
/// How soon they come again at the earliest.
const AGAIN: Duration = Duration::from_mins(1);
/// How many clients call what hangs, and how many what has no address.
const UNLUCKY: usize = 32;
const HONEST: usize = 8;
/// How long who is told that something does not work waits before the next call.
const BACK_OFF: Duration = Duration::from_millis(500);
/// How often each honest client calls.
const PACE: Duration = Duration::from_millis(20);
/// How often somebody asks whether it is alive.
const HEALTH_EVERY: Duration = Duration::from_millis(100);

/// Nobody answers there.
const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 53, 53, 53));

/// How long what is honest is measured without and with the others, and what must hold then.
struct Size {
    alone: Duration,
    besieged: Duration,
    /// Within what time all slow clients have come.
    gathering: Duration,
    /// How long 99 of 100 calls may take, by what they take alone.
    p99: fn(Duration) -> Duration,
    healthz: Duration,
    /// How long it may take to stop.
    stop: Duration,
}

/// For a minute where `SIEGE_SECONDS` says so. In the test run there are other tests beside it and no
/// release build, so that only what hangs is told from what is well.
fn size() -> Size {
    let seconds = env::var("SIEGE_SECONDS").ok();
    match seconds.map(|seconds| seconds.parse().expect("a number of seconds")) {
        Some(seconds) => Size {
            alone: Duration::from_secs(seconds),
            besieged: Duration::from_secs(seconds),
            gathering: Duration::from_secs(seconds) / 2,
            p99: |alone| 2 * alone,
            healthz: Duration::from_millis(100),
            stop: Duration::from_secs(2),
        },
        None => Size {
            alone: Duration::from_secs(1),
            besieged: Duration::from_secs(8),
            gathering: Duration::from_secs(8),
            // Clients that kept their places would keep them for 30 seconds.
            p99: |_| Duration::from_secs(20),
            healthz: Duration::from_secs(20),
            stop: Duration::from_secs(5),
        },
    }
}

struct World {
    program: Program,
    target: Target,
    backstage: Handle,
    _upstream: Upstream,
    _silent: UdpSocket,
    _memory: MemoryLimit,
}

impl World {
    async fn new() -> Self {
        raise_open_files(20_000);
        let silent = UdpSocket::bind((RESOLVER, 53)).await;
        let upstream = Upstream::start().await;
        let memory = MemoryLimit::new(128 * MIB);
        let config = format!(
            "[[upstream]]\nurl = \"{}\"\n\
             [[upstream]]\npath = \"/v1/hung\"\nurl = \"{}\"\nresponse_timeout = \"2s\"\n\
             [[upstream]]\npath = \"/v1/unknown\"\nurl = \"http://upstream.example\"\nconnect_timeout = \"2s\"\n",
            upstream.url(),
            hung().await,
        );
        let program = Program::start(Spawn {
            config: Some(config),
            group: Some(memory.group()),
            open_files: Some(1_024),
            resolver: Some(RESOLVER),
            ..Spawn::default()
        });
        let (_, key) = Account::create(&program).await.key(&["read"]).await;
        let url = program.url.clone();
        Self {
            program,
            target: Target { url, key },
            backstage: backstage(),
            _upstream: upstream,
            _silent: silent.expect("root may listen there"),
            _memory: memory,
        }
    }

    /// Clients of these kinds, so many of each, who all come within `gathering`, and again when they are given
    /// up.
    fn besieged_by(
        &self,
        kinds: &[Slow],
        clients: u32,
        gathering: Duration,
    ) -> Vec<JoinHandle<()>> {
        let sockets = Sockets::new();
        let address = self.program.address();
        let all = clients * u32::try_from(kinds.len()).expect("few kinds");
        let began = Instant::now();
        let client = |(slow, number): (Slow, u32)| {
            let sockets = sockets.clone();
            self.backstage.spawn(async move {
                let comes_at = began + gathering * number / all;
                let mut again = interval_at(comes_at, AGAIN);
                again.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    again.tick().await;
                    slow.until_given_up(&sockets, address).await;
                }
            })
        };
        let kinds = kinds.iter().cloned().cycle();
        kinds.zip(0..all).map(client).collect()
    }

    /// Clients that call what hangs and what has no address, and are told so.
    fn with_unlucky(&self) -> Vec<JoinHandle<()>> {
        let calls = [("GET /v1/hung", 504), ("GET /v1/unknown", 502)];
        let calls = calls.iter().cycle().take(calls.len() * UNLUCKY);
        let client = |(call, expected): (&'static str, u16)| {
            let mut client = Client::of(&self.target);
            tokio::spawn(async move {
                let mut pace = interval(BACK_OFF);
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    pace.tick().await;
                    let status = client.ask(call).await;
                    assert_eq!(status, expected, "{call}");
                }
            })
        };
        calls.copied().map(client).collect()
    }
}

/// Where slow clients run: on threads that wait for all others, since elsewhere they would take no processor from
/// the server, the upstream and the honest clients.
fn backstage() -> Handle {
    let mut threads = runtime::Builder::new_multi_thread();
    threads.on_thread_start(|| {
        nice(10).expect("a lower priority");
    });
    let runtime = threads.enable_all().build().expect("a runtime");
    // It ends with the process.
    Box::leak(Box::new(runtime)).handle().clone()
}

/// Who is called, and with which key.
#[derive(Clone)]
struct Target {
    url: String,
    key: String,
}

/// Somebody who keeps a connection, and makes another where it had to make room.
struct Client {
    target: Target,
    caller: Option<Caller>,
}

impl Client {
    fn of(target: &Target) -> Self {
        Self {
            target: target.clone(),
            caller: None,
        }
    }

    async fn ask(&mut self, call: &str) -> u16 {
        loop {
            let mut caller = match self.caller.take() {
                Some(caller) => caller,
                None => Caller::connect(&self.target.url).await,
            };
            if let Ok(status) = caller.ask(call, &self.target.key).await {
                self.caller = Some(caller);
                return status;
            }
        }
    }
}

/// An upstream that takes connections and nothing that comes over them.
async fn hung() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok(accepted) = listener.accept().await {
            taken.push(accepted);
        }
    });
    url
}

#[derive(Debug)]
#[expect(dead_code, reason = "they are printed")]
struct Figures {
    calls: usize,
    p99: Duration,
    healthz: Duration,
}

impl Figures {
    /// What honest clients meet.
    async fn measure(target: &Target, duration: Duration) -> Self {
        let honest = (0..HONEST).map(|_| call_for(target, duration));
        let (calls, healthz) = tokio::join!(join_all(honest), ask_health_for(target, duration));
        let mut calls = calls.concat();
        calls.sort_unstable();
        Self {
            p99: calls[calls.len() * 99 / 100],
            calls: calls.len(),
            healthz,
        }
    }
}

/// How long each call took of somebody who calls now and then.
async fn call_for(target: &Target, duration: Duration) -> Vec<Duration> {
    let mut client = Client::of(target);
    let (began, mut pace, mut took) = (Instant::now(), interval(PACE), Vec::new());
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while began.elapsed() < duration {
        pace.tick().await;
        let asked = Instant::now();
        assert_eq!(client.ask("GET /v1/models").await, 200);
        took.push(asked.elapsed());
    }
    took
}

/// The longest that it took to say that it is alive, each time on a new connection.
async fn ask_health_for(target: &Target, duration: Duration) -> Duration {
    let (began, mut pace) = (Instant::now(), interval(HEALTH_EVERY));
    let mut longest = Duration::ZERO;
    while began.elapsed() < duration {
        pace.tick().await;
        let asked = Instant::now();
        assert_eq!(Client::of(target).ask("GET /healthz").await, 200);
        longest = longest.max(asked.elapsed());
    }
    longest
}

/// Ends what is still under way of these; fails if one of them has.
async fn dismiss(tasks: Vec<JoinHandle<()>>) {
    for task in &tasks {
        task.abort();
    }
    for task in tasks {
        let ended = task.await.expect_err("they do not end by themselves");
        assert!(ended.is_cancelled(), "{ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "what a long run is for")]
async fn with_few_descriptors_and_little_memory_slow_clients_and_upstreams_hold_up_nobody_else() {
    let size = size();
    let mut world = World::new().await;
    let before = world.program.open_sockets();
    let alone = Figures::measure(&world.target, size.alone).await;
    let waiting = [
        kinds::silent(),
        kinds::head_that_drips(),
        kinds::half_of_http2s_first_words(),
        kinds::without_a_stream(),
    ];
    let asking = [
        kinds::body_that_drips(),
        kinds::body_that_does_not_come("/api/session"),
        kinds::without_a_window("/openapi.json"),
        kinds::unread("/openapi.json", 4),
        kinds::unread_with(&world.target.key, "/v1/download"),
    ];
    let all = [&waiting[..], &asking].concat();
    let mut others = world.besieged_by(&all, CLIENTS, size.gathering);
    others.extend(world.with_unlucky());
    let besieged = Figures::measure(&world.target, size.besieged).await;
    eprintln!("alone {alone:?}, besieged {besieged:?}");
    dismiss(others).await;
    assert!(
        besieged.p99 < (size.p99)(alone.p99),
        "{besieged:?} {alone:?}"
    );
    assert!(besieged.healthz < size.healthz, "{besieged:?}");
    eventually("nothing of them is left", async || {
        world.program.open_sockets() <= before
    })
    .await;

    let left = world.besieged_by(&waiting, 100, Duration::ZERO);
    eventually("many of them are there", async || {
        world.program.open_sockets() >= before + left.len() / 2
    })
    .await;
    let asked = Instant::now();
    assert!(world.program.terminate().success());
    let took = asked.elapsed();
    eprintln!("stopped after {took:?}");
    assert!(took < size.stop, "{took:?}");
    for client in left {
        client.abort();
    }
}
