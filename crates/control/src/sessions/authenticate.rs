use std::time::Duration;

use keygate_core::{Account, Code, Problem, Token};
use keygate_storage::{Actor, Session, SessionOver};

use crate::Control;

/// How exactly the last use of a session is kept.
const TOUCH_EVERY: Duration = Duration::from_secs(1);

/// Somebody who has shown a cookie of a live session.
#[derive(Debug, Clone)]
pub struct SignedInSession {
    /// The session.
    pub session: Session,
    /// Its account.
    pub account: Account,
}

impl SignedInSession {
    /// Who makes the changes that the session asks for.
    pub fn actor(&self) -> Actor {
        Actor::Session(self.account.id, self.session.id)
    }
}

impl Control {
    /// The live session with this token. That it was used is noted, to the second.
    pub async fn authenticate(&self, token: Option<&str>) -> Result<SignedInSession, Problem> {
        let token = token.ok_or_else(session_required)?;
        let token = Token::parse(token).ok_or(SessionOver)?;
        let found = self.store.lookup_session(token.hash()).await;
        let (session, account) = found?.ok_or(SessionOver)?;
        let now = self.clock.now();
        if session.is_over(now) || account.suspended_at.is_some() {
            return Err(SessionOver.into());
        }
        if session.last_seen_at.plus(TOUCH_EVERY) <= now {
            let idle_ends_at = now.plus(self.policy.session_idle);
            let touched = self
                .store
                .touch_session(session.id, now, idle_ends_at)
                .await;
            // The database may be unable to write; who is signed in can still read.
            if let Err(error) = touched {
                tracing::warn!(%error, "the use of a session was not noted");
            }
        }
        Ok(SignedInSession { session, account })
    }
}

fn session_required() -> Problem {
    Problem::new(
        Code::SessionRequired,
        "Sign in first: POST /api/session gives the session cookie. API keys are not accepted here.",
    )
}
