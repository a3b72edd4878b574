//! Connecting to whichever of several addresses answers (RFC 8305).

use std::{collections::VecDeque, future::pending, io, net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, task::JoinSet, time::sleep};

/// How long an address may be silent before the next is tried beside it. Section 8 has 100 ms for the
/// least.
const ATTEMPT_DELAY: Duration = Duration::from_millis(100);

/// Connects to one of the addresses, `preferred` before all others.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    preferred: Option<SocketAddr>,
) -> io::Result<(TcpStream, SocketAddr)> {
    if let [address] = addresses {
        return open(*address).await;
    }
    let mut rest = in_order(addresses, preferred);
    let mut attempts = JoinSet::new();
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    loop {
        match rest.pop_front() {
            Some(address) => drop(attempts.spawn(open(address))),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let next = async {
            if rest.is_empty() {
                pending::<()>().await;
            }
            sleep(ATTEMPT_DELAY).await;
        };
        tokio::select! {
            Some(Ok(opened)) = attempts.join_next() => match opened {
                Ok(opened) => return Ok(opened),
                Err(error) => failure = error,
            },
            () = next => {}
        }
    }
}

async fn open(address: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    Ok((TcpStream::connect(address).await?, address))
}

/// The system's order, but the families by turns (section 4), and first what was good before.
fn in_order(addresses: &[SocketAddr], preferred: Option<SocketAddr>) -> VecDeque<SocketAddr> {
    let begins_with_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let of = |is_v6: bool| addresses.iter().filter(move |to| to.is_ipv6() == is_v6);
    let (mut one, mut other) = (of(begins_with_v6), of(!begins_with_v6));
    let mut ordered: VecDeque<_> = preferred
        .into_iter()
        .filter(|to| addresses.contains(to))
        .collect();
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None, None] {
            return ordered;
        }
        let others = pair.into_iter().flatten();
        ordered.extend(others.filter(|to| Some(**to) != preferred));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address at which nobody answers, and nobody refuses either: a listener whose queue is full.
    async fn silent() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind("127.0.0.1:0".parse().expect("an address"))
            .expect("bound");
        let full = socket.listen(1).expect("listening");
        let address = full.local_addr().expect("an address");
        let mut queued = Vec::new();
        for _ in 0..4 {
            let connecting = TcpStream::connect(address);
            queued.push(tokio::time::timeout(ATTEMPT_DELAY, connecting).await);
        }
        (address, (full, queued))
    }

    #[tokio::test]
    async fn an_address_that_is_silent_costs_less_than_300_ms() {
        let (silent, _queue) = silent().await;
        let good = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let good = good.local_addr().expect("an address");
        let began = Instant::now();
        let (_, address) = connect(&[silent, good], None).await.expect("one answers");
        assert_eq!(address, good);
        assert!(began.elapsed() < Duration::from_millis(300));
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_nothing_and_all_that_do_are_an_error() {
        let refusing = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let refused = refusing.local_addr().expect("an address");
        drop(refusing);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let good = listener.local_addr().expect("an address");
        let began = Instant::now();
        let (_, address) = connect(&[refused, good], None).await.expect("one answers");
        assert_eq!(address, good);
        assert!(began.elapsed() < ATTEMPT_DELAY);
        let error = connect(&[refused, refused], None).await;
        let error = error.expect_err("nobody answers");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn families_take_turns_and_what_was_good_comes_first() {
        let [a6, b6, a4, b4] =
            ["[::1]:1", "[::2]:1", "127.0.0.1:1", "127.0.0.2:1"].map(|to| to.parse().expect("one"));
        let all = [a6, b6, a4, b4];
        assert_eq!(in_order(&all, None), [a6, a4, b6, b4]);
        assert_eq!(in_order(&all, Some(b4)), [b4, a6, a4, b6]);
        assert_eq!(in_order(&[a4, b4], Some(a6)), [a4, b4]);
    }
}
