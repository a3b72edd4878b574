//! Clients that begin and do not go on: each is given up at the deadline of its kind, on each listener.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use futures_util::future::join_all;
use reqwest::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use crate::{
    kinds,
    support::{Account, Metrics, Program, Slow, Sockets, Spawn, eventually, raise_open_files},
};

/// How many clients there are of each kind, all of them at once.
const CLIENTS: usize = 2_000;
/// How many seconds later than it ought to be it may be noticed, beside other tests, without a release build
/// and where thousands connect at once. The deadlines themselves are tested by a clock that jumps.
const SLACK: u64 = 40;

/// Clients of one kind: what they do at each of the places to which they come in turn, and after how many
/// seconds they are given up there.
struct Kind {
    name: &'static str,
    places: Vec<(Listener, Slow, RangeInclusive<u64>)>,
}

#[derive(Debug, Clone, Copy)]
enum Listener {
    Main,
    ExtAuthz,
    Metrics,
}

use Listener::{ExtAuthz, Main};

const LISTENERS: [Listener; 3] = [Main, ExtAuthz, Listener::Metrics];

impl Kind {
    fn everywhere(name: &'static str, slow: &Slow, after: u64) -> Self {
        let places = LISTENERS.map(|place| (place, slow.clone(), after..=after));
        Self {
            name,
            places: places.into(),
        }
    }
}

fn program(keep_alive: &str, upstream: &str) -> Program {
    raise_open_files(20_000);
    let config = format!(
        "[server]\nkeep_alive = \"{keep_alive}\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
         [ext_authz]\nlisten = \"127.0.0.1:0\"\n[[upstream]]\nurl = \"{upstream}\"\n"
    );
    Program::start(Spawn {
        config: Some(config),
        metrics: Metrics::Anywhere,
        ..Spawn::default()
    })
}

/// Has clients of each kind come at once, and wait until they are given up.
async fn are_given_up(program: &Program, kinds: Vec<Kind>) {
    let before = program.open_sockets();
    let sockets = Sockets::new();
    let mut clients = Vec::new();
    for Kind { name, places } in kinds {
        for number in 0..CLIENTS {
            let (place, slow, after) = places[number % places.len()].clone();
            let address = match place {
                Main => program.address(),
                ExtAuthz => program.ext_authz_address(),
                Listener::Metrics => program.metrics_address(),
            };
            let sockets = sockets.clone();
            clients.push(tokio::spawn(async move {
                let latest = Duration::from_secs(after.end() + SLACK);
                let held = timeout(latest, slow.until_given_up(&sockets, address)).await;
                let is_right = matches!(held, Ok(held) if held.as_secs() >= *after.start());
                (!is_right).then(|| format!("{name} at {place:?}: {held:?}"))
            }));
        }
    }
    let answer = Client::new().get(format!("{}/healthz", program.url)).send();
    assert_eq!(answer.await.expect("it answers").status(), 200);
    let held = join_all(clients).await.into_iter();
    let wrong: Vec<String> = held.filter_map(|held| held.expect("no panic")).collect();
    let some = &wrong[..wrong.len().min(20)];
    assert!(wrong.is_empty(), "{} of them, like {some:#?}", wrong.len());
    eventually("nothing of them is left", async || {
        program.open_sockets() <= before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_go_on_are_given_up_after_10_seconds_on_every_listener() {
    let program = program("11s", "http://127.0.0.1:1");
    let kinds = vec![
        Kind::everywhere("silent", &kinds::silent(), 10),
        Kind::everywhere("a head that drips", &kinds::head_that_drips(), 10),
        Kind::everywhere(
            "half of HTTP/2's first words",
            &kinds::half_of_http2s_first_words(),
            10,
        ),
        Kind {
            name: "a body that does not come",
            places: vec![
                (Main, kinds::body_that_drips(), 10..=10),
                // Refused after 10 seconds, and idle from then on.
                (
                    Main,
                    kinds::body_that_does_not_come("/api/session"),
                    21..=21,
                ),
                (ExtAuthz, kinds::question_that_does_not_come(), 21..=21),
                // Nobody needs it.
                (
                    Listener::Metrics,
                    kinds::body_that_does_not_come("/metrics"),
                    11..=11,
                ),
            ],
        },
    ];
    are_given_up(&program, kinds).await;
}

/// An upstream whose answers are longer than what fits between it and a client that reads nothing.
async fn lengthy() -> String {
    const LENGTH: usize = 512 << 10;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    let answer: Arc<[u8]> = [head.as_bytes(), &vec![0; LENGTH]].concat().into();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepted");
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 1_024];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    // It may hang up before it has taken all of it.
                    let _ = stream.write_all(&answer).await;
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_nothing_or_ask_for_nothing_are_given_up_on_every_listener() {
    let upstream = lengthy().await;
    let program = program("25s", &upstream);
    let (_, key) = Account::create(&program).await.key(&["read"]).await;
    let kinds = vec![
        Kind::everywhere("HTTP/2 without a stream", &kinds::without_a_stream(), 25),
        Kind {
            name: "idle after an answer",
            places: vec![
                (Main, kinds::idle("/healthz"), 25..=25),
                (Listener::Metrics, kinds::idle("/metrics"), 25..=25),
            ],
        },
        Kind {
            name: "HTTP/2 without a window",
            places: vec![
                (Main, kinds::without_a_window("/openapi.json"), 30..=30),
                (ExtAuthz, kinds::answer_without_a_window(), 30..=30),
                (
                    Listener::Metrics,
                    kinds::without_a_window("/metrics"),
                    30..=30,
                ),
            ],
        },
        Kind {
            name: "nothing is read",
            places: vec![
                (Main, kinds::unread("/openapi.json", 2), 30..=30),
                (Main, kinds::unread_with(&key, "/v1/models"), 30..=30),
                (Listener::Metrics, kinds::unread("/metrics", 20), 30..=30),
            ],
        },
    ];
    are_given_up(&program, kinds).await;
}
