//! The changes that several processes make to one database, and whether it is still the one that was read.

mod reader;
mod trail;

use async_trait::async_trait;
use keygate_core::{Timestamp, key::KeyHash};

use crate::StorageError;

pub use reader::FeedReader;

/// The changes that several processes make to one database, each with a revision. Revisions become
/// visible in their order: whoever has seen one has seen all before it.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// The changes after a position, as many as fit a page.
    async fn read(&self, after: &FeedPosition) -> Result<FeedPage, StorageError>;

    /// The newest of these changes that the database has, and when it was made.
    async fn newest_of(
        &self,
        marks: Vec<ChangeMark>,
    ) -> Result<Option<(ChangeMark, Timestamp)>, StorageError>;
}

/// Names a change. A database that has gone back gives the same revisions to other changes, so a
/// revision alone does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeMark {
    /// Its place in the order of changes.
    pub revision: u64,
    /// Drawn at random with the change; zero where there is no change yet.
    pub identity: u128,
}

/// Up to where a feed was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedPosition {
    /// The last change that was read.
    pub mark: ChangeMark,
    /// Where that change was read: differs once the server was restarted or replaced, or its data
    /// were.
    pub origin: String,
}

/// How what a database has now relates to what was read of it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// It is the database that was read.
    Same,
    /// It has all that was read, but was restarted or replaced in between: what was read from it
    /// besides the feed may be missing.
    Moved,
    /// It does not have what was read: it has gone back.
    Lost,
}

/// A part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// Whether it continues what was read. Otherwise it is about everything, and its position is the
    /// feed's end.
    pub continuity: Continuity,
    /// Whose key changed.
    pub changed: Vec<KeyHash>,
    /// The changes of the page.
    pub marks: Vec<ChangeMark>,
    /// Up to where the page goes.
    pub position: FeedPosition,
    /// Whether it reached the end of the feed.
    pub is_last: bool,
    /// Whether it names each key that changed. Otherwise any may have: changes are forgotten, or were
    /// too many.
    pub is_complete: bool,
}
