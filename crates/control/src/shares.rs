use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use keygate_core::AccountId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many readings an account has under way at once. There are a few readers of the database for all.
const AT_ONCE: usize = 1;

/// Has the readings of an account wait for each other, so that whoever asks for many at once does not keep
/// all readers from others.
#[derive(Default)]
pub(crate) struct Shares(Mutex<HashMap<AccountId, Weak<Semaphore>>>);

impl Shares {
    /// Waits for the account's turn, which lasts until what is given is dropped.
    pub(crate) async fn turn(&self, account_id: AccountId) -> OwnedSemaphorePermit {
        let turn = self.of(account_id).acquire_owned().await;
        turn.expect("nobody closes it")
    }

    fn of(&self, account_id: AccountId) -> Arc<Semaphore> {
        let mut accounts = self.0.lock();
        if let Some(share) = accounts.get(&account_id).and_then(Weak::upgrade) {
            return share;
        }
        // Those that nobody waits for any more go when the table would grow.
        if accounts.len() == accounts.capacity() {
            accounts.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(AT_ONCE));
        accounts.insert(account_id, Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use keygate_core::{OsRandom, Timestamp};

    use super::*;

    fn account() -> AccountId {
        AccountId::generate(Timestamp::from_millis(0), &OsRandom)
    }

    #[tokio::test]
    async fn an_account_has_its_share_and_takes_none_of_anothers() {
        let shares = Shares::default();
        let (eve, ada) = (account(), account());
        let first = shares.turn(eve).await;
        let mut next = Box::pin(shares.turn(eve));
        assert!((&mut next).now_or_never().is_none(), "it waits");
        assert!(shares.turn(ada).now_or_never().is_some());
        drop(first);
        assert!(next.now_or_never().is_some());
    }

    #[tokio::test]
    async fn accounts_that_read_nothing_any_more_are_forgotten() {
        let shares = Shares::default();
        for _ in 0..10_000 {
            drop(shares.turn(account()).await);
        }
        assert!(shares.0.lock().len() < 100);
    }
}
