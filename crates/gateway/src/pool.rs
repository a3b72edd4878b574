//! Idle connections to an upstream.

use std::{io, time::Duration};

use parking_lot::Mutex;
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit, time::Instant};

/// How many idle connections are kept.
const MAX_IDLE: usize = 1_024;
/// Practically for ever.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// How long connections are kept.
#[derive(Debug, Clone, Copy)]
pub struct PoolTimeouts {
    /// While they are not used.
    pub idle: Duration,
    /// In total, so that a changed address takes effect.
    pub age: Duration,
}

/// A connection that can be used more than once.
pub(crate) trait Reusable {
    /// Whether nothing came that nobody asked for, the connection's end included.
    fn is_quiet(&self) -> bool;
}

impl Reusable for TcpStream {
    fn is_quiet(&self) -> bool {
        let read = self.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A connection, and since when there is one.
pub(crate) struct Pooled<C> {
    pub(crate) connection: C,
    made_at: Instant,
    _place: Place,
}

/// A permit for a connection to an upstream.
pub(crate) type Place = OwnedSemaphorePermit;

impl<C> Pooled<C> {
    pub(crate) fn new(connection: C, place: Place) -> Self {
        Self {
            connection,
            _place: place,
            made_at: Instant::now(),
        }
    }
}

struct Idle<C> {
    kept: Pooled<C>,
    until: Instant,
}

impl<C: Reusable> Idle<C> {
    fn is_good(&self) -> bool {
        Instant::now() < self.until && self.kept.connection.is_quiet()
    }
}

/// Idle connections to one upstream.
pub(crate) struct Pool<C> {
    idle: Mutex<Vec<Idle<C>>>,
    keeping: PoolTimeouts,
}

impl<C: Reusable> Pool<C> {
    pub(crate) fn new(keeping: PoolTimeouts) -> Self {
        let PoolTimeouts { idle, age } = keeping;
        let keeping = PoolTimeouts {
            idle: idle.min(YEAR),
            age: age.min(YEAR),
        };
        Self {
            idle: Mutex::default(),
            keeping,
        }
    }

    /// The connection that was used last and is still good.
    pub(crate) fn take(&self) -> Option<Pooled<C>> {
        loop {
            let idle = self.idle.lock().pop()?;
            if idle.is_good() {
                return Some(idle.kept);
            }
        }
    }

    /// Closes the connections that have waited too long, or were closed by the upstream.
    pub(crate) fn sweep(&self) {
        self.idle.lock().retain(Idle::is_good);
    }

    /// Keeps a connection for its next request, but no longer than the upstream says that it does.
    pub(crate) fn give_back(&self, kept: Pooled<C>, announced: Option<Duration>) {
        let now = Instant::now();
        let idle = announced.map_or(self.keeping.idle, |limit| limit.min(self.keeping.idle));
        let until = (now + idle).min(kept.made_at + self.keeping.age);
        if until <= now {
            return;
        }
        let mut waiting = self.idle.lock();
        if waiting.len() == MAX_IDLE {
            waiting.remove(0);
        }
        waiting.push(Idle { kept, until });
    }
}

/// How long an upstream keeps a connection that is not used, by its `Keep-Alive: timeout=5`. A second of
/// it, or the half, is for a request that is on its way when the upstream closes.
pub(crate) fn announced(keep_alive: &[u8]) -> Option<Duration> {
    let parameters = std::str::from_utf8(keep_alive).ok()?.split(',');
    let mut parameters = parameters.filter_map(|parameter| parameter.trim().split_once('='));
    let (_, seconds) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?;
    let kept = Duration::from_secs(seconds.trim().parse().ok()?);
    Some((kept / 2).max(kept.saturating_sub(Duration::from_secs(1))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{io::AsyncWriteExt, net::TcpListener, sync::Semaphore, time::advance};

    use super::*;

    struct Numbered(u8);

    impl Reusable for Numbered {
        fn is_quiet(&self) -> bool {
            self.0 != 0
        }
    }

    fn kept(number: u8) -> Pooled<Numbered> {
        let places = Arc::new(Semaphore::new(1));
        let place = places.try_acquire_owned().expect("one is free");
        Pooled::new(Numbered(number), place)
    }

    fn pool() -> Pool<Numbered> {
        Pool::new(PoolTimeouts {
            idle: Duration::from_secs(4),
            age: Duration::from_secs(10),
        })
    }

    fn give_back(pool: &Pool<Numbered>, number: u8) {
        pool.give_back(kept(number), None);
    }

    fn taken(pool: &Pool<Numbered>) -> Option<u8> {
        pool.take().map(|kept| kept.connection.0)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_fresh_and_quiet_is_kept() {
        let pool = pool();
        give_back(&pool, 1);
        advance(Duration::from_secs(4)).await;
        for number in [0, 2, 0] {
            give_back(&pool, number);
        }
        assert_eq!(taken(&pool), Some(2));
        assert_eq!(taken(&pool), None);
        for number in [0, 3] {
            give_back(&pool, number);
        }
        pool.sweep();
        assert_eq!(pool.idle.lock().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_no_longer_than_its_age_however_much_it_is_used() {
        let pool = pool();
        give_back(&pool, 1);
        for _ in 0..3 {
            advance(Duration::from_secs(3)).await;
            let kept = pool.take().expect("not too old");
            pool.give_back(kept, None);
        }
        advance(Duration::from_secs(1)).await;
        assert_eq!(taken(&pool), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_upstream_says_of_its_own_patience_is_heeded() {
        let pool = pool();
        for (header, millis) in [
            ("timeout=3", 2_000),
            ("timeout=60", 4_000),
            ("max=100", 4_000),
        ] {
            pool.give_back(kept(1), announced(header.as_bytes()));
            advance(Duration::from_millis(millis - 1)).await;
            assert!(pool.idle.lock()[0].is_good(), "{header}");
            advance(Duration::from_millis(1)).await;
            assert_eq!(taken(&pool), None, "{header}");
        }
        pool.give_back(kept(1), announced(b"timeout=0"));
        assert_eq!(taken(&pool), None);
    }

    #[tokio::test]
    async fn what_the_upstream_closed_or_spoke_on_unasked_is_not_quiet() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        for says in [None, Some(b"x")] {
            let ours = TcpStream::connect(address).await.expect("it listens");
            let (mut theirs, _) = listener.accept().await.expect("accepted");
            assert!(ours.is_quiet());
            match says {
                Some(bytes) => theirs.write_all(bytes).await.expect("sent"),
                None => drop(theirs),
            }
            ours.readable().await.expect("something comes");
            assert!(!ours.is_quiet());
        }
    }

    #[test]
    fn the_time_is_read_in_every_way_in_which_servers_write_it() {
        for (header, millis) in [
            ("timeout=5", Some(4_000)),
            ("timeout=5, max=1000", Some(4_000)),
            ("max=100,Timeout = 2", Some(1_000)),
            ("timeout=1", Some(500)),
            ("timeout=0", Some(0)),
            ("timeout=soon", None),
            ("max=5", None),
            ("", None),
        ] {
            let expected = millis.map(Duration::from_millis);
            assert_eq!(announced(header.as_bytes()), expected, "{header}");
        }
    }
}
