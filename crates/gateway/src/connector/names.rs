//! Which addresses a name has. The system is asked by one thread for each name, however many
//! requests want to know: a name that does not resolve must not take the threads of all others.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{net::lookup_host, sync::watch, time::Instant};

/// How old addresses may be when a connection is made to one of them.
const MAX_AGE: Duration = Duration::from_secs(30);
/// From which age on they are asked for anew, while those that are known are still used.
const REFRESH_AFTER: Duration = Duration::from_secs(10);
/// How soon the system is asked again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Addresses, or why there are none.
type Found = Result<Arc<[SocketAddr]>, Arc<str>>;

type Asking = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

pub(super) struct Name {
    host: String,
    port: u16,
    /// How the system is asked; not at all where the name is an address.
    ask: Box<dyn Fn() -> Asking + Send + Sync>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    latest: Option<(Found, Instant)>,
    asked_at: Option<Instant>,
    /// The answer that is waited for.
    awaited: Option<watch::Receiver<Option<Found>>>,
}

impl Name {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let name = host.to_owned();
        let ask = move || -> Asking {
            if let Ok(address) = name.parse::<IpAddr>() {
                return Box::pin(async move { Ok(vec![(address, port).into()]) });
            }
            let name = name.clone();
            Box::pin(async move { Ok(lookup_host((name.as_str(), port)).await?.collect()) })
        };
        Self {
            host: host.to_owned(),
            port,
            ask: Box::new(ask),
            state: Arc::default(),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The addresses as they are known, or as soon as they are.
    pub(super) async fn addresses(&self) -> Found {
        let mut awaited = {
            let mut state = self.state.lock();
            let known = state.usable();
            if let Some((found, is_fresh)) = known {
                if !is_fresh && state.may_ask() {
                    self.begin(&mut state);
                }
                return found;
            }
            match &state.awaited {
                Some(awaited) => awaited.clone(),
                None => self.begin(&mut state),
            }
        };
        match awaited.wait_for(Option::is_some).await {
            Ok(found) => found.clone().expect("it was waited for"),
            Err(_) => Err("the look-up was broken off".into()),
        }
    }

    fn begin(&self, state: &mut State) -> watch::Receiver<Option<Found>> {
        let (sender, awaited) = watch::channel(None);
        state.awaited = Some(awaited.clone());
        state.asked_at = Some(Instant::now());
        let (asking, shared) = ((self.ask)(), self.state.clone());
        tokio::spawn(async move {
            let found = match asking.await {
                Ok(addresses) if addresses.is_empty() => Err("there is none".into()),
                Ok(addresses) => Ok(addresses.into()),
                Err(error) => Err(error.to_string().into()),
            };
            shared.lock().note(found.clone());
            sender.send_replace(Some(found));
        });
        awaited
    }
}

impl State {
    /// What is known and may be used, and whether it is fresh.
    fn usable(&self) -> Option<(Found, bool)> {
        let (found, at) = self.latest.as_ref()?;
        let age = at.elapsed();
        let (usable, fresh) = match found {
            Ok(_) => (MAX_AGE, REFRESH_AFTER),
            Err(_) => (ASK_EVERY, ASK_EVERY),
        };
        (age < usable).then(|| (found.clone(), age < fresh))
    }

    fn may_ask(&self) -> bool {
        let is_over = |at: Instant| at.elapsed() >= ASK_EVERY;
        self.awaited.is_none() && self.asked_at.is_none_or(is_over)
    }

    /// Notes an answer. Where there is none, addresses that are not too old are kept.
    fn note(&mut self, found: Found) {
        self.awaited = None;
        let keeps_known = found.is_err() && matches!(self.usable(), Some((Ok(_), _)));
        if !keeps_known {
            self.latest = Some((found, Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{
        sync::Semaphore,
        time::{advance, timeout},
    };

    use super::*;

    /// What the system says, and how often it was asked.
    struct System {
        answers: Mutex<io::Result<Vec<SocketAddr>>>,
        asked: AtomicUsize,
        /// One for each answer that may come.
        may_answer: Semaphore,
    }

    fn address(last: u8) -> SocketAddr {
        ([127, 0, 0, last], 80).into()
    }

    fn name(answers: io::Result<Vec<SocketAddr>>) -> (Name, Arc<System>) {
        let system = Arc::new(System {
            answers: Mutex::new(answers),
            asked: AtomicUsize::new(0),
            may_answer: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let asked = system.clone();
        let ask = move || -> Asking {
            let system = asked.clone();
            Box::pin(async move {
                system.asked.fetch_add(1, Ordering::SeqCst);
                system.may_answer.acquire().await.expect("open").forget();
                match &*system.answers.lock() {
                    Ok(addresses) => Ok(addresses.clone()),
                    Err(error) => Err(error.kind().into()),
                }
            })
        };
        let mut name = Name::new("upstream.test", 80);
        name.ask = Box::new(ask);
        (name, system)
    }

    impl System {
        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn an_address_needs_no_look_up() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let found = Name::new(host, 80).addresses().await.expect("an address");
            assert_eq!(*found, [expected.parse().expect("an address")]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_requests_a_second_for_a_name_that_never_resolves_ask_once() {
        let (name, system) = name(Ok(vec![address(1)]));
        system.may_answer.forget_permits(Semaphore::MAX_PERMITS);
        for _ in 0..500 {
            let waited = timeout(Duration::from_millis(10), name.addresses()).await;
            waited.expect_err("the system does not answer");
        }
        assert_eq!(system.asked(), 1);
        system.may_answer.add_permits(1);
        name.addresses().await.expect("it answers at last");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_without_an_address_is_asked_for_once_a_second() {
        let (name, system) = name(Err(io::ErrorKind::NotFound.into()));
        for _ in 0..500 {
            name.addresses().await.expect_err("there is none");
            advance(Duration::from_millis(10)).await;
        }
        assert_eq!(system.asked(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_moved_are_followed_within_their_age() {
        let (name, system) = name(Ok(vec![address(1)]));
        assert_eq!(*name.addresses().await.expect("known"), [address(1)]);
        *system.answers.lock() = Ok(vec![address(2)]);
        advance(REFRESH_AFTER).await;
        assert_eq!(*name.addresses().await.expect("still used"), [address(1)]);
        while system.asked() < 2 {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        assert_eq!(*name.addresses().await.expect("refreshed"), [address(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn while_nothing_resolves_addresses_are_used_until_they_are_too_old() {
        let (name, system) = name(Ok(vec![address(1)]));
        name.addresses().await.expect("known");
        *system.answers.lock() = Err(io::ErrorKind::TimedOut.into());
        for _ in 0..29 {
            advance(Duration::from_secs(1)).await;
            name.addresses().await.expect("not too old");
        }
        advance(Duration::from_secs(1)).await;
        name.addresses().await.expect_err("too old");
    }
}
