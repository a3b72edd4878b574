//! Where there is no room for another client, one makes room that is waited for.

use futures_util::future::join_all;

use crate::{
    kinds,
    support::{Account, Caller, Program, Slow, Sockets, Spawn, Upstream, eventually},
};

/// So many files may be open that there are [`PLACES`] for clients.
const OPEN_FILES: u32 = 256;
const PLACES: usize = 108;
const CLIENTS: usize = 300;

/// Somebody else is answered while all places are taken by clients of this kind.
async fn makes_room(program: &Program, name: &str, slow: Slow) {
    let (sockets, address) = (Sockets::new(), program.address());
    let before = program.open_sockets();
    let clients = (0..CLIENTS).map(|_| {
        let (slow, sockets) = (slow.clone(), sockets.clone());
        tokio::spawn(async move { slow.until_given_up(&sockets, address).await })
    });
    let clients: Vec<_> = clients.collect();
    eventually("all have come", async || {
        let given_up = clients.iter().filter(|client| client.is_finished());
        given_up.count() >= CLIENTS - PLACES
    })
    .await;
    for _ in 0..CLIENTS {
        let mut caller = Caller::connect(&program.url).await;
        let status = caller.ask("GET /healthz", "").await;
        assert_eq!(status.expect(name), 200, "{name}");
    }
    for client in &clients {
        client.abort();
    }
    join_all(clients).await;
    eventually("they have gone", async || program.open_sockets() <= before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_take_or_send_what_their_requests_wait_for_make_room_for_others() {
    let upstream = Upstream::start().await;
    let program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        open_files: Some(OPEN_FILES),
        ..Spawn::default()
    });
    let (_, key) = Account::create(&program).await.key(&["read"]).await;
    for (name, slow) in [
        ("a body that drips", kinds::body_that_drips()),
        (
            "a body that does not come",
            kinds::body_that_does_not_come("/api/session"),
        ),
        ("no window", kinds::without_a_window("/openapi.json")),
        ("an answer unread", kinds::unread("/openapi.json", 4)),
        (
            "an upstream's answer unread",
            kinds::unread_with(&key, "/v1/download"),
        ),
    ] {
        makes_room(&program, name, slow).await;
    }
}
