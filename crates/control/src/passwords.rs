mod turns;

use std::{net::IpAddr, sync::Arc, time::Duration};

use argon2::{
    Argon2, Block, Params,
    password_hash::{
        PasswordVerifier,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use keygate_core::{Code, EmailAddress, Password, Problem, Random, client_site};
use parking_lot::Mutex;
use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

use turns::{Turn, Turns};

/// How many hashes are made at once. Each takes 19 MiB and some 20 ms of a core: more than there are
/// cores for would be no sooner there, and take more memory.
fn max_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

/// Hashes and checks passwords with argon2id at OWASP's parameters (19 MiB, 2 passes, 1 lane),
/// which are the library's defaults.
pub(crate) struct Passwords {
    random: Arc<dyn Random>,
    turns: Turns,
    memory: Arc<Memory>,
    /// A hash that no password has, to be checked where there is no account.
    nobodys: String,
}

impl Passwords {
    pub(crate) fn new(random: Arc<dyn Random>) -> Self {
        let mut nobody = [0; 32];
        random.fill(&mut nobody);
        let memory = Arc::<Memory>::default();
        Self {
            nobodys: memory.lend(|memory| hash(&nobody, &*random, memory)),
            memory,
            turns: Turns::new(max_at_once()),
            random,
        }
    }

    /// Hashes a new password, if it is strong enough for this account. `client` is from where somebody asks
    /// for it, unless that is the operator.
    pub(crate) async fn hash_new(
        &self,
        password: Password,
        email: EmailAddress,
        client: Option<IpAddr>,
    ) -> Result<String, Problem> {
        refuse_untypable(&password)?;
        let (random, turn) = (self.random.clone(), self.turn(client).await?);
        self.at_work(turn, move |memory| {
            refuse_weak(&password, &email)?;
            Ok(memory.lend(|memory| hash(password.expose().as_bytes(), &*random, memory)))
        })
        .await?
    }

    /// Whether `password` belongs to the account with this hash. Without an account the answer is
    /// no, and takes as long.
    pub(crate) async fn verify(
        &self,
        password: Password,
        account_hash: Option<String>,
        client: IpAddr,
    ) -> Result<bool, Problem> {
        let exists = account_hash.is_some();
        let phc = account_hash.unwrap_or_else(|| self.nobodys.clone());
        let turn = self.turn(Some(client)).await?;
        let matches = self
            .at_work(turn, move |memory| {
                let password = password.expose().as_bytes();
                PasswordHash::new(&phc)
                    .is_ok_and(|phc| memory.lend(|memory| matches(password, &phc, memory)))
            })
            .await?;
        Ok(exists && matches)
    }

    async fn turn(&self, client: Option<IpAddr>) -> Result<Turn, Problem> {
        let turn = self.turns.next(client.map(client_site)).await;
        turn.ok_or_else(overloaded)
    }

    /// Runs `work` on a thread of its own.
    async fn at_work<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&Memory) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let memory = self.memory.clone();
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&memory);
            // Held until the work is done, also where nobody waits for it any more.
            if turn.end() {
                memory.give_back();
            }
            done
        });
        done.await.map_err(|_| overloaded())
    }
}

fn overloaded() -> Problem {
    Problem::new(
        Code::Overloaded,
        "Too many people are signing in at this moment. Try again in a second.",
    )
    .with_retry_after(Duration::from_secs(1))
}

/// What hashes are made in, handed on from one to the next: what one thread has freed is not there for
/// another at once, and thirty people who sign in would take more than those at a time need.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    fn lend<T>(&self, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let lent = self.0.lock().pop();
        let mut lent = lent.unwrap_or_else(|| vec![Block::new(); Params::DEFAULT.block_count()]);
        let done = work(&mut lent);
        self.0.lock().push(lent);
        done
    }

    /// Frees what nobody has.
    fn give_back(&self) {
        self.0.lock().clear();
    }
}

fn hash(password: &[u8], random: &dyn Random, memory: &mut [Block]) -> String {
    let mut salt = [0; 16];
    random.fill(&mut salt);
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let valid = "the library's own parameters are valid";
    Argon2::default()
        .hash_password_into_with_memory(password, &salt, &mut output, memory)
        .expect(valid);
    let phc = PasswordHash {
        algorithm: argon2::Algorithm::default().ident(),
        version: Some(argon2::Version::default().into()),
        params: own_params(),
        salt: Some(Salt::new(&salt).expect(valid)),
        hash: Some(Output::new(&output).expect(valid)),
    };
    phc.to_string()
}

fn own_params() -> ParamsString {
    ParamsString::try_from(&Params::DEFAULT).expect("the library's own parameters are valid")
}

/// Whether a password has this hash. The outputs are compared in constant time.
fn matches(password: &[u8], phc: &PasswordHash, memory: &mut [Block]) -> bool {
    let argon2 = Argon2::default();
    // One that was made with other parameters needs other memory.
    if phc.params != own_params() {
        return argon2.verify_password(password, phc).is_ok();
    }
    let (Some(salt), Some(expected)) = (&phc.salt, &phc.hash) else {
        return false;
    };
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let hashed = argon2.hash_password_into_with_memory(password, salt, &mut output, memory);
    hashed.is_ok() && Output::new(&output).is_ok_and(|output| output == *expected)
}

/// Refuses a password that can be sent by a program and read from a file, but not be typed into the form
/// for signing in.
fn refuse_untypable(password: &Password) -> Result<(), Problem> {
    let cannot_be_typed = |char: char| char.is_control() || char == '\u{feff}';
    if password.expose().contains(cannot_be_typed) {
        let rule =
            "must not contain line ends, tabs or other control characters: nobody could type it";
        return Err(Problem::invalid_parameter("password", rule));
    }
    Ok(())
}

/// So many characters of a password are judged. What judging takes grows much faster than they do, and
/// whoever adds more to a strong beginning makes it no weaker.
const JUDGED_CHARS: usize = 32;
/// Signs that stand for letters in words. All readings of them are tried, and each kind doubles how many those
/// are; so many kinds are judged as such, as in `p@$$word!`.
const LETTER_SIGNS: &str = "@({[<!|$+%";
const JUDGED_SIGNS: usize = 3;
/// Stands for no letter.
const NO_LETTER: char = '~';

/// What a password is judged by.
fn judged(password: &Password) -> Zeroizing<String> {
    let mut signs = String::new();
    let beginning = password.expose().chars().take(JUDGED_CHARS);
    let read = beginning.map(|one| {
        if !LETTER_SIGNS.contains(one) || signs.contains(one) {
            one
        } else if signs.len() < JUDGED_SIGNS {
            signs.push(one);
            one
        } else {
            NO_LETTER
        }
    });
    read.collect::<String>().into()
}

/// zxcvbn's score 3 of 4: safely unguessable even for somebody who has the hash.
fn refuse_weak(password: &Password, email: &EmailAddress) -> Result<(), Problem> {
    let own_words = [email.as_str(), "keygate"];
    let estimate = zxcvbn(&judged(password), &own_words);
    if estimate.score() >= Score::Three {
        return Ok(());
    }
    let why = estimate
        .feedback()
        .and_then(zxcvbn::feedback::Feedback::warning)
        .map_or_else(String::new, |warning| format!(" {warning}"));
    Err(Problem::invalid_parameter(
        "password",
        format!("is too easy to guess.{why} Use more words, or let a password manager choose"),
    ))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use keygate_core::{OsRandom, thread_cpu_time};

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn password(text: &str) -> Password {
        Password::parse(text).expect("long enough")
    }

    fn ada() -> EmailAddress {
        EmailAddress::parse("ada.lovelace@example.com").expect("an address")
    }

    #[tokio::test]
    async fn only_the_right_password_of_an_account_verifies() {
        let passwords = Passwords::new(Arc::new(OsRandom));
        let right = password("correct horse battery staple");
        let hash = passwords.hash_new(right.clone(), ada(), None).await;
        let hash = hash.expect("it is strong");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let verify = |password, hash| passwords.verify(password, hash, CLIENT);
        assert_eq!(verify(right.clone(), Some(hash.clone())).await, Ok(true));
        let wrong = password("correct horse battery stapler");
        assert_eq!(verify(wrong, Some(hash)).await, Ok(false));
        assert_eq!(verify(right, None).await, Ok(false));
    }

    #[test]
    fn hashes_are_those_of_the_library() {
        let memory = Memory::default();
        for _ in 0..2 {
            let made = memory.lend(|memory| hash(b"correct horse", &OsRandom, memory));
            let phc = PasswordHash::new(&made).expect("well-formed");
            Argon2::default()
                .verify_password(b"correct horse", &phc)
                .expect("the library takes it");
            assert!(memory.lend(|memory| matches(b"correct horse", &phc, memory)));
            assert!(!memory.lend(|memory| matches(b"correct house", &phc, memory)));
        }
        assert_eq!(memory.0.lock().len(), 1, "one after the other needs one");
    }

    #[tokio::test]
    async fn weak_passwords_are_refused() {
        let passwords = Passwords::new(Arc::new(OsRandom));
        for weak in [
            "password1234",
            "aaaaaaaaaaaaaaa",
            "ada.lovelace@example.com",
            "keygatekeygate",
        ] {
            let refused = passwords.hash_new(password(weak), ada(), None).await;
            let problem = refused.expect_err(weak);
            assert_eq!(problem.code, Code::InvalidParameter, "{weak}");
            assert_eq!(problem.param.as_deref(), Some("password"));
            assert!(!problem.message.contains(weak));
        }
    }

    #[tokio::test]
    async fn passwords_that_nobody_can_type_are_refused_where_they_are_set() {
        let passwords = Passwords::new(Arc::new(OsRandom));
        for untypable in ["\n", "\r", "\0", "\t", "\u{1b}", "\u{7f}", "\u{feff}"] {
            let text = password(&format!("correct horse{untypable}battery staple"));
            let refused = passwords.hash_new(text.clone(), ada(), None).await;
            let problem = refused.expect_err(untypable);
            assert_eq!(problem.param.as_deref(), Some("password"));
            // One that was set before still opens the door.
            let hash = passwords
                .memory
                .lend(|memory| hash(text.expose().as_bytes(), &OsRandom, memory));
            assert_eq!(passwords.verify(text, Some(hash), CLIENT).await, Ok(true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_in_time_is_told_to_come_again() {
        let passwords = Passwords::new(Arc::new(OsRandom));
        let mut busy = Vec::new();
        for _ in 0..max_at_once() {
            busy.push(passwords.turn(None).await.expect("a free place"));
        }
        let verify = || passwords.verify(password("correct horse battery"), None, CLIENT);
        let problem = verify().await.expect_err("all places are taken");
        assert_eq!(problem.code, Code::Overloaded);
        assert!(problem.retry_after.is_some());
        drop(busy);
        assert_eq!(verify().await, Ok(false));
    }

    #[test]
    fn no_password_takes_long_to_judge() {
        let unit = [
            "4@8({[<3€6!1|$5+7%2",
            "28609|71!5$4@",
            "p@55w0rd",
            "aA1!",
            "qwerty1qaz2wsx",
            "0123456789",
            "11/11/2011",
        ];
        let built = unit.iter().flat_map(|unit| {
            let whole = unit.repeat(256 / unit.chars().count());
            let mixed = whole
                .chars()
                .rev()
                .chain("4bcd3fgh!jklmn0pqr5tuvwxyz".chars());
            [whole.clone(), mixed.take(Password::MAX_CHARS).collect()]
        });
        let address = format!(
            "{}@{}.example",
            "p4ssw0rd.".repeat(7) + "x",
            "d0ma1n.".repeat(25) + "x"
        );
        let address = EmailAddress::parse(&address).expect("an address");
        for text in built {
            let password = password(&text);
            let time = |_| {
                let started = thread_cpu_time();
                let _ = refuse_weak(&password, &address);
                thread_cpu_time().saturating_sub(started)
            };
            let fastest = (0..3).map(time).min().expect("three");
            // 20 ms of an optimised program, which tests are not.
            assert!(fastest < Duration::from_millis(100), "{text}: {fastest:?}");
        }
    }
}
