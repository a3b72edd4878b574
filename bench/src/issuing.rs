//! How many keys are issued a second, each durable before it is answered.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    Failure,
    contest::{Turn, measure},
    load::{Load, Shape},
    rivals::{Running, keygate},
    world::World,
};

const CONNECTIONS: u32 = 64;
const EMAIL: &str = "issuer@example.com";
const PASSWORD: &str = "correct horse battery staple";

/// `POST /api/keys`, over and over.
pub(crate) fn issuing(world: &World, time: Duration) -> Result<Turn, Failure> {
    create_account(world)?;
    let running = Running::one(|port| keygate::serve(world, port))?;
    let cookie = sign_in(running.port)?;
    let lines = world.folder().join("cookie");
    std::fs::write(&lines, cookie)?;
    let shape = Shape {
        method: "POST",
        line: ("Cookie", "LINE"),
        headers: &[("Content-Type", "application/json")],
        body: r#"{"name":"bench"}"#,
    };
    let load = Load::new(world.folder(), &lines, shape)?;
    let url = format!("http://127.0.0.1:{}/api/keys", running.port);
    load.succeed(&url, CONNECTIONS, Duration::from_secs(1))?;
    measure(&running, || load.succeed(&url, CONNECTIONS, time))
}

fn create_account(world: &World) -> Result<(), Failure> {
    let program = keygate::program()?;
    let mut child = Command::new(&program[0])
        .args(["account", "create", EMAIL, "--password-stdin", "--data"])
        .arg(world.data())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().expect("piped");
    input.write_all(PASSWORD.as_bytes())?;
    drop(input);
    let status = child.wait()?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| "the account was not made".into())
}

fn sign_in(port: u16) -> Result<String, Failure> {
    let body = format!(r#"{{"email":"{EMAIL}","password":"{PASSWORD}"}}"#);
    let request = format!(
        "POST /api/session HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let cookie = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.and_then(|cookie| cookie.split(';').next());
    cookie
        .map(str::to_owned)
        .ok_or_else(|| format!("no session: {answer}").into())
}
