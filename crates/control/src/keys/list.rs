use keygate_core::{AccountId, ApiKey, KeyId, Problem};
use keygate_storage::{KeyPage, KeyStatus};

use super::key_not_found;
use crate::{Control, unavailable};

/// How many keys one page has at most.
const PAGE: u32 = 100;

impl Control {
    /// Up to 100 keys of an account, newest first; `before` is the id that the last page ended with.
    pub async fn list_keys(
        &self,
        account_id: AccountId,
        status: KeyStatus,
        before: Option<KeyId>,
    ) -> Result<Vec<ApiKey>, Problem> {
        let page = KeyPage {
            status,
            before,
            limit: PAGE,
        };
        let listed = self.store.list_keys(account_id, page, self.clock.now());
        listed.await.map_err(unavailable)
    }

    /// A key of an account. What is no id, an unknown one and another account's are all the same.
    pub async fn get_key(&self, account_id: AccountId, key_id: &str) -> Result<ApiKey, Problem> {
        let key_id = KeyId::parse(key_id).ok_or_else(key_not_found)?;
        let found = self.store.lookup_key(account_id, key_id).await;
        found.map_err(unavailable)?.ok_or_else(key_not_found)
    }
}
