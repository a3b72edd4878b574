use std::collections::VecDeque;

use super::ChangeMark;

/// How many changes are remembered, which take a third of a MiB.
const LENGTH: usize = 10_000;

/// The last changes that were read, by which it can be told how far back a database went.
#[derive(Default)]
pub(super) struct Trail(VecDeque<ChangeMark>);

impl Trail {
    pub(super) fn extend(&mut self, marks: impl IntoIterator<Item = ChangeMark>) {
        self.0.extend(marks);
        let surplus = self.0.len().saturating_sub(LENGTH);
        self.0.drain(..surplus);
    }

    /// What was remembered, oldest first; nothing is any more.
    pub(super) fn take(&mut self) -> Vec<ChangeMark> {
        std::mem::take(&mut self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_changes_are_remembered() {
        let mark = |revision| ChangeMark {
            revision,
            identity: 1,
        };
        let mut trail = Trail::default();
        trail.extend((0..20_000).map(mark));
        trail.extend([mark(20_000)]);
        let taken = trail.take();
        assert_eq!(taken.len(), LENGTH);
        assert_eq!(taken.first().map(|mark| mark.revision), Some(10_001));
        assert_eq!(taken.last().map(|mark| mark.revision), Some(20_000));
        assert!(trail.take().is_empty());
    }
}
