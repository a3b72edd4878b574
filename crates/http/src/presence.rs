use std::sync::Arc;

use tokio::sync::watch;

/// Whether the client of a connection is still there, as far as can be told. Clones tell of the same one.
#[derive(Debug, Clone)]
pub struct Presence(Arc<watch::Sender<Belief>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    Present,
    /// Somebody wants to be sure.
    Asked,
    /// It has ended what it sends, and may have gone.
    InDoubt,
}

impl Default for Presence {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Belief::Present)))
    }
}

impl Presence {
    /// Whether somebody waits to hear whether the client is there.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() == Belief::Asked
    }

    /// The client has ended what it sends: it may have gone.
    pub fn doubt(&self) {
        self.0.send_replace(Belief::InDoubt);
    }

    /// It seems to be there.
    pub fn confirm(&self) {
        self.turn(|belief| belief != Belief::Present, Belief::Present);
    }

    /// Looks once more, and ends when nothing says that the client has gone. Where it has, its
    /// connection ends, and whoever waits here with it.
    pub async fn confirmed(&self) {
        let mut beliefs = self.0.subscribe();
        self.turn(|belief| belief == Belief::Present, Belief::Asked);
        // The sender is here.
        let _ = beliefs.wait_for(|belief| *belief == Belief::Present).await;
    }

    fn turn(&self, applies: impl Fn(Belief) -> bool, next: Belief) {
        self.0.send_if_modified(|belief| {
            let applies = applies(*belief);
            if applies {
                *belief = next;
            }
            applies
        });
    }
}
