//! Whichever lane a request takes, the upstream gets the same request and the client the same answer: cases
//! at random, the same bytes on both lanes.
//!
//! `CASES` sets how many there are, `SEED` repeats a run.

mod cases;
mod wire;

use std::{
    env,
    io::Write,
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use cases::{Case, DATE};
use wire::{Message, read_message};

use crate::support::{Account, Dice, Program, Spawn};

/// How many upstreams there are, each asked by one client at a time.
const WORKERS: u64 = 4;
/// How long either end may be silent. Nothing that is sent here leaves it waiting for so long.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));
/// How often a case must differ.
const ATTEMPTS: u32 = 5;
/// Who has asked for this is served by the HTTP library from then on.
const ASIDE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// An upstream that notes the request on each connection, says what it was told to, and hangs up.
struct Upstream {
    url: String,
    says: Sender<Vec<u8>>,
    /// What reached it; `None` is a request that broke off.
    asked: Receiver<Option<Message>>,
}

impl Upstream {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (says, script) = channel();
        let (notes, asked) = channel();
        thread::spawn(move || {
            let mut answer: Vec<u8> = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                stream.set_read_timeout(PATIENCE).expect("set");
                let request = read_message(&mut stream, false);
                // A request that never came was not answered either.
                answer = script.try_iter().last().unwrap_or(answer);
                if notes.send(request).is_err() {
                    return;
                }
                // It may not be wanted any more.
                let _ = stream.write_all(&answer);
            }
        });
        Self { url, says, asked }
    }
}

/// What became of a request.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// `None` where it could not be passed on: whether that is said or the answer breaks off depends on
    /// how much of it had come when that was found out.
    answer: Option<Message>,
    /// What reached the upstream.
    asked: Vec<Option<Message>>,
}

struct Client<'a> {
    program: &'a Program,
    upstream: Upstream,
}

impl Client<'_> {
    /// Sends a request on a connection of its own, from whose beginning, or after something else, it comes.
    fn send(&self, case: &Case, before: &[u8]) -> Outcome {
        let mut stream = TcpStream::connect(self.program.address()).expect("it listens");
        stream.set_read_timeout(PATIENCE).expect("set");
        if !before.is_empty() {
            stream.write_all(before).expect("sent");
            read_message(&mut stream, false).expect("it is answered");
        }
        let told = self.upstream.says.send(case.answer.clone());
        told.expect("it listens");
        // It may be refused before all of it has come.
        let _ = stream.write_all(&case.request);
        let answer = read_message(&mut stream, case.is_head);
        let asked = self.upstream.asked.try_iter();
        let asked: Vec<_> = asked.map(|asked| asked.map(without_chance)).collect();
        let answer = answer.filter(|answer| answer.status() != "502");
        let answer = answer.map(|answer| match answer.status().as_bytes() {
            // In words of its own, or of the HTTP library's.
            [b'4', ..] if asked.is_empty() => answer.without_words(),
            _ => without_chance(answer),
        });
        Outcome { answer, asked }
    }

    fn outcomes(&self, case: &Case) -> [Outcome; 2] {
        [b"", ASIDE].map(|before| self.send(case, before))
    }

    /// Fails where the lanes differ about a case. How often names of headers reached the upstream as they
    /// were written: the HTTP library writes them small.
    fn compare(&self, case: &Case) -> usize {
        // An upstream that hangs up may do so a moment before or after it is asked: a difference is what comes
        // each time.
        let mut attempts = (0..ATTEMPTS).map(|_| self.outcomes(case));
        let attempt = attempts.find(|[express, library]| express == library);
        let [express, library] = attempt.unwrap_or_else(|| self.outcomes(case));
        assert_eq!(express, library, "{case}");
        let mut asked = express.asked.iter().flatten();
        usize::from(asked.any(|request| request.has_capitals))
    }
}

/// A message without what is another one each time.
fn without_chance(mut message: Message) -> Message {
    message.headers.retain(|(name, value)| match &**name {
        "x-request-id" => false,
        "date" => value == DATE,
        _ => true,
    });
    message
        .headers
        .sort_by(|(one, _), (other, _)| one.cmp(other));
    message
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the seed makes a run repeatable")]
async fn both_lanes_judge_requests_and_answers_alike() {
    let (cases, seed) = (
        setting("CASES", 2_000),
        setting("SEED", u64::from(std::process::id())),
    );
    println!("SEED={seed} CASES={cases}");
    let upstreams: Vec<_> = (0..WORKERS).map(|_| Upstream::start()).collect();
    let section = |(number, upstream): (usize, &Upstream)| {
        let url = &upstream.url;
        format!("[[upstream]]\npath = \"/v1/{number}\"\nurl = \"{url}\"\nidle_timeout = \"1ms\"\n")
    };
    let program = Program::start(Spawn {
        config: Some(upstreams.iter().enumerate().map(section).collect()),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read", "write", "chat"]).await;
    let (program, key) = (&program, &*key);
    let on_express = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .zip(upstreams)
            .map(|(number, upstream)| {
                scope.spawn(move || {
                    let mut dice = Dice::new(seed * WORKERS + number);
                    let client = Client { program, upstream };
                    let cases = (0..cases / WORKERS)
                        .map(|_| Case::new(&mut dice, &format!("/v1/{number}"), key));
                    cases.map(|case| client.compare(&case)).sum::<usize>()
                })
            })
            .collect();
        let counted = workers
            .into_iter()
            .map(|worker| worker.join().expect("no difference"));
        counted.sum::<usize>()
    });
    assert!(on_express > 0, "none of {cases} took the express lane");
    println!("{on_express} of {cases} were seen to take the express lane");
}
