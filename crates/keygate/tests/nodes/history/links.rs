//! How often links work, and until when.

use super::{
    History,
    event::{Event, Operation, Violation},
};

/// A link, and how it was made.
struct Made<'a> {
    id: &'a str,
    event: &'a Event,
    /// Whose password it replaces; an invitation replaces none.
    resets: Option<&'a str>,
    by: &'a str,
}

fn made(event: &Event) -> Option<Made<'_>> {
    match &event.what {
        Operation::Link { link, resets, by } if event.is_done() => Some(Made {
            id: link,
            event,
            resets: resets.as_deref(),
            by,
        }),
        _ => None,
    }
}

impl Made<'_> {
    /// Whether somebody used it or withdrew it, or tried to.
    fn is_taken_by(&self, event: &Event) -> bool {
        match &event.what {
            Operation::Reset { link, .. }
            | Operation::SignUp { link, .. }
            | Operation::Withdraw { link, .. } => link == self.id,
            _ => false,
        }
    }

    /// Whether it works no more after this: the password that it replaces is replaced, whoever it is for or
    /// made it is suspended or has another password, or there is a newer one.
    fn is_ended_by(&self, event: &Event) -> bool {
        match &event.what {
            Operation::Suspend { account, .. } | Operation::Reset { account, .. } => {
                Some(account.as_str()) == self.resets || account == self.by
            }
            Operation::Link { link, resets, .. } => {
                link != self.id && resets.is_some() && resets.as_deref() == self.resets
            }
            _ => false,
        }
    }
}

pub fn check(history: &History) -> Result<(), Violation> {
    for made in history.events.iter().filter_map(made) {
        let concerned: Vec<&Event> = history
            .events
            .iter()
            .filter(|event| made.is_taken_by(event) || made.is_ended_by(event))
            .filter(|event| !event.precedes(made.event))
            .collect();
        check_one(&made, &concerned).map_err(|why| {
            let events = concerned.iter().copied().chain([made.event]);
            Violation::new(format!("link {}: {why}", made.id), events)
        })?;
    }
    Ok(())
}

fn check_one(made: &Made<'_>, concerned: &[&Event]) -> Result<(), String> {
    let takes = || concerned.iter().filter(|event| made.is_taken_by(event));
    if takes().filter(|take| take.is_done()).count() > 1 {
        return Err("it was used or withdrawn twice".into());
    }
    for &take in takes() {
        let others = || {
            concerned
                .iter()
                .filter(|other| !std::ptr::eq(**other, take) && other.may_be_done())
        };
        let mut ends = others().filter(|other| {
            !made.is_taken_by(other)
                && other.is_done()
                && made.event.precedes(other)
                && other.precedes(take)
        });
        if let (true, Some(end)) = (take.is_done(), ends.next()) {
            return Err(format!("it had ended, and worked: {take}\nIt ended: {end}"));
        }
        let may_be_over = others().any(|other| other.began < take.ended);
        let says_that_it_is_over =
            take.is_refused_with(&["invalid_parameter", "signup_closed", "not_found"]);
        if says_that_it_is_over && !may_be_over {
            return Err(format!("it had not ended, and did not work: {take}"));
        }
    }
    Ok(())
}
