//! Until when sessions open anything. Each use asks the database, so what ended one is known everywhere at
//! once.

use super::{
    History,
    accounts::of_account,
    event::{Event, Operation, Session, Violation},
};

/// A session, and how it began.
struct Begun<'a> {
    number: Session,
    event: &'a Event,
    account: &'a str,
    password: &'a str,
}

fn begun(event: &Event) -> Option<Begun<'_>> {
    match &event.what {
        Operation::SignIn {
            account,
            password,
            begins,
            ..
        } if event.is_done() => Some(Begun {
            number: *begins,
            event,
            account,
            password,
        }),
        _ => None,
    }
}

impl Begun<'_> {
    /// Whether an event ends the session, if that began before.
    fn may_be_ended_by(&self, event: &Event) -> bool {
        event.may_be_done()
            && match &event.what {
                Operation::SignOut { .. } => event.session == Some(self.number),
                Operation::Suspend { account, .. } | Operation::Reset { account, .. } => {
                    account == self.account
                }
                _ => false,
            }
    }

    /// Whether the session is over once an event is acknowledged: it began before, or with a password that
    /// the event has replaced.
    fn is_ended_by(&self, event: &Event) -> bool {
        let is_replaced = matches!(
            &event.what,
            Operation::Reset { password, .. } if password != self.password
        );
        event.is_done()
            && self.may_be_ended_by(event)
            && (self.event.precedes(event) || is_replaced && self.began_with_what_was_before(event))
    }

    /// Nobody goes back to a password, so one that is not the new one is an older one, unless the session
    /// began after it.
    fn began_with_what_was_before(&self, reset: &Event) -> bool {
        !reset.precedes(self.event)
    }
}

/// Whether a session may have been over before its end was asked for, which then ended nothing.
pub fn is_perhaps_over(history: &History, event: &Event) -> bool {
    let (Operation::SignOut { .. }, Some(number)) = (&event.what, event.session) else {
        return false;
    };
    let mut begun = history.events.iter().filter_map(begun);
    let Some(begun) = begun.find(|begun| begun.number == number) else {
        return false;
    };
    history.events.iter().any(|other| {
        !std::ptr::eq(other, event)
            && begun.may_be_ended_by(other)
            && other.began < event.ended
            && !other.precedes(begun.event)
    })
}

pub fn check(history: &History) -> Result<(), Violation> {
    for begun in history.events.iter().filter_map(begun) {
        let ends = |event: &&Event| begun.may_be_ended_by(event);
        let ends: Vec<&Event> = history.events.iter().filter(ends).collect();
        let uses = |event: &&Event| event.session == Some(begun.number);
        for event in history.events.iter().filter(uses) {
            check_use(&begun, &ends, event).map_err(|why| {
                let events = history.events.iter().filter(uses);
                let others = of_account(history, begun.account)
                    .filter(|event| !uses(event) || event.session.is_none());
                Violation::new(why, events.chain(others))
            })?;
        }
    }
    Ok(())
}

fn check_use(begun: &Begun<'_>, ends: &[&Event], event: &Event) -> Result<(), String> {
    let number = begun.number;
    if event.is_done() {
        let over = ends
            .iter()
            .find(|end| begun.is_ended_by(end) && end.precedes(event));
        return over.map_or(Ok(()), |end| {
            Err(format!(
                "session {number} was over, and opened something: {event}\nIt was ended: {end}"
            ))
        });
    }
    let may_be_over = ends
        .iter()
        .any(|end| end.began < event.ended && !end.precedes(begun.event));
    if event.is_refused_with(&["session_expired"]) && !may_be_over {
        return Err(format!(
            "session {number} was alive, and opened nothing: {event}"
        ));
    }
    Ok(())
}
