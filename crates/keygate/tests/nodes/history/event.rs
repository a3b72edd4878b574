use std::{fmt, time::Duration};

/// What a key opens, or what a call asks for, by name.
pub type Scope = &'static str;

/// The number of a session in a history. [`OPERATOR`] needs none.
pub type Session = usize;

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// With this code; nothing is changed.
    Refused(String),
    /// The database did not say whether it is done.
    Unknown,
}

/// Something that somebody asked of a node, from the beginning to the moment the answer was there, as
/// counted from the beginning of the history.
#[derive(Debug, Clone)]
pub struct Event {
    pub began: Duration,
    pub ended: Duration,
    pub node: usize,
    /// By which session, if by one.
    pub session: Option<Session>,
    pub what: Operation,
    pub answer: Answer,
}

/// What was asked for. Keys, links and incidents are named by their ids, accounts by their addresses.
/// Where a name or a message tells changes apart, no two have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    Issue {
        account: String,
        name: String,
        scopes: Vec<Scope>,
        /// Empty if it was not issued.
        key: String,
    },
    Change {
        account: String,
        key: String,
        name: String,
        scopes: Option<Vec<Scope>>,
        is_active: Option<bool>,
    },
    Revoke {
        account: String,
        key: String,
    },
    /// A call with a key, and the status of its answer.
    Check {
        key: String,
        scope: Scope,
        status: u16,
    },
    SignIn {
        account: String,
        password: String,
        begins: Session,
        /// The id of what began, if it lived long enough to be asked.
        id: Option<String>,
    },
    SignOut {
        account: String,
    },
    /// A session is asked whose it is.
    Look,
    Suspend {
        account: String,
        by: String,
    },
    Resume {
        account: String,
        by: String,
    },
    /// A link is made, for a new password of an account or for a new account.
    Link {
        link: String,
        resets: Option<String>,
        by: String,
    },
    Withdraw {
        link: String,
        resets: Option<String>,
        by: String,
    },
    Reset {
        link: String,
        account: String,
        password: String,
    },
    SignUp {
        link: String,
        account: String,
        password: String,
    },
    /// An incident is posted, or maintenance announced.
    Post {
        incident: String,
        message: String,
        by: String,
    },
    Say {
        incident: String,
        message: String,
        state: &'static str,
        by: String,
    },
    /// An incident is read: what is said of it.
    Read {
        incident: String,
        messages: Vec<String>,
    },
}

impl Event {
    pub fn is_done(&self) -> bool {
        self.answer == Answer::Done
    }

    /// Whether it is done, for all that is known.
    pub fn may_be_done(&self) -> bool {
        !matches!(self.answer, Answer::Refused(_))
    }

    pub fn is_refused_with(&self, codes: &[&str]) -> bool {
        matches!(&self.answer, Answer::Refused(code) if codes.contains(&code.as_str()))
    }

    /// Whether it was over when the other one began.
    pub fn precedes(&self, other: &Event) -> bool {
        self.ended < other.began
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |at: Duration| at.as_secs_f64() * 1_000.0;
        let (began, ended) = (millis(self.began), millis(self.ended));
        write!(f, "{began:10.3} to {ended:10.3} ms, node {}", self.node)?;
        if let Some(session) = self.session {
            write!(f, ", session {session}")?;
        }
        write!(f, ": {:?}: {:?}", self.what, self.answer)
    }
}

/// Something that cannot have been, and what was done with the same thing.
#[derive(Debug)]
pub struct Violation {
    why: String,
    events: Vec<Event>,
}

impl Violation {
    pub fn new<'a>(why: impl Into<String>, events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut events: Vec<Event> = events.into_iter().cloned().collect();
        events.sort_by_key(|event| event.began);
        let why = why.into();
        Self { why, events }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.why)?;
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        Ok(())
    }
}
