use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;

/// Whether the client of a connection is still there, as far as can be told. Clones tell of the same one.
#[derive(Debug, Clone, Default)]
pub struct Presence(Arc<Seen>);

#[derive(Debug)]
struct Seen {
    belief: watch::Sender<Belief>,
    /// Whether the client was seen to be there in the turn in which its request is served now. Most are, and then
    /// nobody has to wait.
    just_now: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    Present,
    /// Somebody wants to be sure.
    Asked,
    /// It has ended what it sends, and may have gone.
    InDoubt,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            belief: watch::Sender::new(Belief::Present),
            just_now: AtomicBool::new(false),
        }
    }
}

impl Presence {
    /// Notes whether it is there in this turn, which lasts until [`Presence::end_turn`].
    pub fn note_seen(&self, is_there: bool) {
        self.0.just_now.store(is_there, Ordering::Relaxed);
    }

    /// Notes that whoever serves its request does something else now.
    pub fn end_turn(&self) {
        self.note_seen(false);
    }

    /// Whether somebody waits to hear whether the client is there.
    pub fn is_asked(&self) -> bool {
        *self.0.belief.borrow() == Belief::Asked
    }

    /// The client has ended what it sends: it may have gone.
    pub fn doubt(&self) {
        self.0.belief.send_replace(Belief::InDoubt);
    }

    /// It seems to be there.
    pub fn confirm(&self) {
        self.turn(|belief| belief != Belief::Present, Belief::Present);
    }

    /// Looks once more, and ends when nothing says that the client has gone. Where it has, its
    /// connection ends, and whoever waits here with it.
    pub async fn confirmed(&self) {
        if self.0.just_now.load(Ordering::Relaxed) {
            return;
        }
        let mut beliefs = self.0.belief.subscribe();
        self.turn(|belief| belief == Belief::Present, Belief::Asked);
        // The sender is here.
        let _ = beliefs.wait_for(|belief| *belief == Belief::Present).await;
    }

    fn turn(&self, applies: impl Fn(Belief) -> bool, next: Belief) {
        self.0.belief.send_if_modified(|belief| {
            let applies = applies(*belief);
            if applies {
                *belief = next;
            }
            applies
        });
    }
}
