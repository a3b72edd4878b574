use keygate_core::{AccountId, ApiKey, KeyId, Problem};
use keygate_storage::{AuditPage, KeyPage, KeyStatus, RecordedEntry};

use super::key_not_found;
use crate::{Control, PAGE};

/// How many keys that are not active are listed together, of either kind.
const MAX_OTHERS: usize = 1_000;

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
        let _turn = self.reads.turn(account_id).await;
        let listed = self.store.list_keys(account_id, page, self.clock.now());
        Ok(listed.await?)
    }

    /// An account's keys in any state, newest first: all that are active, and the newest thousand of
    /// the others.
    pub async fn list_all_keys(&self, account_id: AccountId) -> Result<Vec<ApiKey>, Problem> {
        let active = self.list_keys_of(account_id, KeyStatus::Active, usize::MAX);
        let mut keys = active.await?;
        for status in [KeyStatus::Inactive, KeyStatus::Expired] {
            keys.extend(self.list_keys_of(account_id, status, MAX_OTHERS).await?);
        }
        keys.sort_unstable_by_key(|key| std::cmp::Reverse(key.id));
        keys.dedup_by_key(|key| key.id);
        Ok(keys)
    }

    async fn list_keys_of(
        &self,
        account_id: AccountId,
        status: KeyStatus,
        max: usize,
    ) -> Result<Vec<ApiKey>, Problem> {
        let mut keys: Vec<ApiKey> = Vec::new();
        while keys.len() < max {
            let before = keys.last().map(|key| key.id);
            let page = self.list_keys(account_id, status, before).await?;
            let is_last = page.len() < PAGE as usize;
            keys.extend(page);
            if is_last {
                break;
            }
        }
        Ok(keys)
    }

    /// What was done with a key of an account, newest first, up to 100 entries; `before` is the number
    /// that the last page ended with.
    pub async fn list_key_history(
        &self,
        account_id: AccountId,
        key_id: &str,
        before: Option<u64>,
    ) -> Result<Vec<RecordedEntry>, Problem> {
        let key = self.get_key(account_id, key_id).await?;
        let page = AuditPage {
            account_id: Some(account_id),
            subject_id: Some(key.id.to_string()),
            before,
            limit: PAGE,
            ..AuditPage::default()
        };
        let _turn = self.reads.turn(account_id).await;
        let listed = self.store.list_audit_entries(page).await;
        Ok(listed?)
    }

    /// A key of an account. What is no id, an unknown one and another account's are all the same.
    pub async fn get_key(&self, account_id: AccountId, key_id: &str) -> Result<ApiKey, Problem> {
        let key_id = KeyId::parse(key_id).ok_or_else(key_not_found)?;
        let _turn = self.reads.turn(account_id).await;
        let found = self.store.lookup_key(account_id, key_id).await;
        found?.ok_or_else(key_not_found)
    }
}
