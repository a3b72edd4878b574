use std::{net::IpAddr, sync::Arc, time::Duration};

use keygate_core::{
    ClientMark, Clock, Code, EmailAddress, Problem, SessionId, client_network, client_site,
};

use crate::throttle::{Counted, Rate, Throttle};

/// How many passwords may be tried for one account in a row from one network, browser or session, and how
/// soon another one may.
const PER_CLIENT_OF_ACCOUNT: Rate = Rate::new(10, Duration::from_secs(10));
/// The same from all networks of one site.
const PER_SITE_OF_ACCOUNT: Rate = Rate::new(40, Duration::from_secs(10));
/// The same from everywhere where nobody has signed in to it before.
const PER_ACCOUNT: Rate = Rate::new(100, Duration::from_secs(10));
/// The same from one network, for whatever accounts.
const PER_NETWORK: Rate = Rate::new(30, Duration::from_secs(2));
/// The same from all networks of one site.
const PER_SITE: Rate = Rate::new(120, Duration::from_millis(500));

/// Counts attempts to give a password or a one-time token, for every place where one is checked.
///
/// Whoever has signed in to an account before, from the same site or by the same browser, is not counted
/// together with strangers, so no stranger can use up their attempts.
pub(crate) struct Attempts(Throttle);

/// What attempts are counted by.
#[derive(Hash)]
enum By<'a> {
    Network(IpAddr),
    Site(IpAddr),
    Account(&'a EmailAddress),
    NetworkOfAccount(IpAddr, &'a EmailAddress),
    SiteOfAccount(IpAddr, &'a EmailAddress),
    BrowserOfAccount(ClientMark, &'a EmailAddress),
    Session(SessionId),
}

impl Attempts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Throttle::new(clock))
    }

    /// An attempt with a token, or to make an account.
    pub(crate) fn count_address(&self, address: IpAddr) -> Result<Counted, Problem> {
        self.count(&by_address(address))
    }

    /// An attempt on an account, whether it exists or not, by somebody of whom nothing is known.
    pub(crate) fn count_stranger(
        &self,
        email: &EmailAddress,
        address: IpAddr,
    ) -> Result<Counted, Problem> {
        let [network, site] = by_address(address);
        let [network_of_account, site_of_account] = by_address_of_account(email, address);
        let account = (By::Account(email), PER_ACCOUNT);
        self.count(&[network, site, network_of_account, site_of_account, account])
    }

    /// The same from a site where somebody has signed in to the account.
    pub(crate) fn count_known_site(
        &self,
        email: &EmailAddress,
        address: IpAddr,
    ) -> Result<Counted, Problem> {
        self.count(&by_address_of_account(email, address))
    }

    /// The same by a browser with which somebody has signed in to the account.
    pub(crate) fn count_known_browser(
        &self,
        email: &EmailAddress,
        browser: ClientMark,
    ) -> Result<Counted, Problem> {
        let by = By::BrowserOfAccount(browser, email);
        self.count(&[(by, PER_CLIENT_OF_ACCOUNT)])
    }

    /// The same by somebody who is signed in to the account.
    pub(crate) fn count_session(&self, session: SessionId) -> Result<Counted, Problem> {
        self.count(&[(By::Session(session), PER_CLIENT_OF_ACCOUNT)])
    }

    /// An attempt that was right, or not judged: it did not count.
    pub(crate) fn take_back(&self, counted: Counted) {
        self.0.take_back(counted);
    }

    fn count(&self, counts: &[(By<'_>, Rate)]) -> Result<Counted, Problem> {
        self.0.count(counts).map_err(|wait| {
            Problem::new(
                Code::RateLimitExceeded,
                "Too many attempts. Wait a little before the next one.",
            )
            .with_retry_after(wait)
        })
    }
}

fn by_address(address: IpAddr) -> [(By<'static>, Rate); 2] {
    [
        (By::Network(client_network(address)), PER_NETWORK),
        (By::Site(client_site(address)), PER_SITE),
    ]
}

fn by_address_of_account(email: &EmailAddress, address: IpAddr) -> [(By<'_>, Rate); 2] {
    let network = By::NetworkOfAccount(client_network(address), email);
    let site = By::SiteOfAccount(client_site(address), email);
    [
        (network, PER_CLIENT_OF_ACCOUNT),
        (site, PER_SITE_OF_ACCOUNT),
    ]
}

#[cfg(test)]
mod tests {
    use keygate_core::{ManualClock, OsRandom, Timestamp, Token};

    use super::*;

    fn attempts() -> (Attempts, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        (Attempts::new(clock.clone()), clock)
    }

    fn email(text: &str) -> EmailAddress {
        EmailAddress::parse(text).expect("an address")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// How many of `attempts` in a row are let through.
    fn let_through<T>(attempts: u32, attempt: impl Fn(u32) -> Result<T, Problem>) -> usize {
        (0..attempts)
            .filter(|&number| attempt(number).is_ok())
            .count()
    }

    #[test]
    fn an_account_has_ten_attempts_from_a_network_and_then_one_every_ten_seconds() {
        let (attempts, clock) = attempts();
        let (ada, network) = (email("Ada@example.com"), address("192.0.2.1"));
        let attempt = |_| attempts.count_stranger(&ada, network);
        assert_eq!(let_through(20, attempt), 10);
        let refused = attempt(0).expect_err("one too many");
        assert_eq!(refused.code, Code::RateLimitExceeded);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(10)));
        let other = attempts.count_stranger(&email("bob@example.com"), network);
        assert!(other.is_ok(), "another account");
        clock.advance_millis(9_999);
        attempt(0).expect_err("too soon");
        clock.advance_millis(1);
        assert_eq!(let_through(3, attempt), 1);
    }

    #[test]
    fn a_stranger_does_not_use_up_the_attempts_of_another_network() {
        let (attempts, _) = attempts();
        let ada = email("ada@example.com");
        let stranger = |_| attempts.count_stranger(&ada, address("198.51.100.9"));
        assert_eq!(let_through(1_000, stranger), 10);
        let elsewhere = |_| attempts.count_stranger(&ada, address("203.0.113.5"));
        assert_eq!(let_through(20, elsewhere), 10);
    }

    #[test]
    fn who_has_signed_in_before_is_not_shut_out_by_all_networks_together() {
        let (attempts, _) = attempts();
        let (ada, home) = (email("ada@example.com"), address("203.0.113.5"));
        let strangers = |number: u32| {
            let network = IpAddr::from((number + (10 << 24)).to_be_bytes());
            attempts.count_stranger(&ada, network)
        };
        let spread = |number| strangers(number << 8);
        assert_eq!(let_through(200, spread), 100);
        attempts
            .count_stranger(&ada, home)
            .expect_err("a network like any other");
        let site = |_| attempts.count_known_site(&ada, home);
        assert_eq!(let_through(20, site), 10);
        let token = Token::generate(&OsRandom);
        let browser = ClientMark::of_browser(&token);
        let known = |_| attempts.count_known_browser(&ada, browser);
        assert_eq!(let_through(20, known), 10, "also where the site is used up");
    }

    #[test]
    fn the_networks_of_a_site_have_few_attempts_together() {
        let (attempts, _) = attempts();
        let rotated = |number: u32| {
            let network = address(&format!("2001:db8:1:{number:x}::1"));
            let email = email(&format!("x{number}@example.com"));
            attempts.count_stranger(&email, network)
        };
        assert_eq!(let_through(1_000, rotated), 120);
        let on_one = |number: u32| {
            let network = address(&format!("2001:db8:2:{number:x}::1"));
            attempts.count_stranger(&email("ada@example.com"), network)
        };
        assert_eq!(let_through(1_000, on_one), 40);
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_their_attempts() {
        let (attempts, _) = attempts();
        let host = |host: u32| attempts.count_address(address(&format!("2001:db8::{host:x}")));
        assert_eq!(let_through(100, host), 30);
        let other = attempts.count_address(address("2001:db8:0:1::"));
        assert!(other.is_ok(), "another network");
    }

    #[test]
    fn a_refused_attempt_counts_nowhere() {
        let (attempts, _) = attempts();
        let (ada, bob) = (email("ada@example.com"), email("bob@example.com"));
        let network = address("192.0.2.1");
        assert_eq!(
            let_through(1_000, |_| attempts.count_stranger(&ada, network)),
            10
        );
        assert_eq!(
            let_through(1_000, |_| attempts.count_stranger(&bob, network)),
            10
        );
        let rest = |_| attempts.count_address(network);
        assert_eq!(let_through(100, rest), 10, "30 less those that were judged");
    }
}
