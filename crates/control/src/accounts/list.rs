use keygate_core::{Account, AccountId, Code, EmailAddress, Problem, folded};
use keygate_storage::{AccountPage, AccountSummary};

use crate::{Control, PAGE};

/// No address has more characters.
const MAX_SEARCH: usize = 254;

impl Control {
    /// Whether there is an account.
    pub async fn is_set_up(&self) -> Result<bool, Problem> {
        let page = AccountPage {
            limit: 1,
            ..AccountPage::default()
        };
        let listed = self.store.list_accounts(page, self.clock.now()).await;
        Ok(!listed?.is_empty())
    }

    /// Whether there are accounts, and none that is not suspended is an admin's.
    pub async fn lacks_admin(&self) -> Result<bool, Problem> {
        let has_admin = self.store.has_admin().await?;
        Ok(!has_admin && self.is_set_up().await?)
    }

    /// Up to 100 accounts, oldest first: those whose address has `search` in it; `after` is the id that
    /// the last page ended with. For operators and admins.
    pub async fn list_accounts(
        &self,
        search: &str,
        after: Option<AccountId>,
    ) -> Result<Vec<AccountSummary>, Problem> {
        // An address in the spelling that it is kept in; or else a part of one.
        let search = match EmailAddress::parse(search) {
            Ok(email) => email.as_str().to_owned(),
            Err(_) => folded(&search.trim().chars().take(MAX_SEARCH).collect::<String>()),
        };
        if search.contains('\0') {
            return Ok(Vec::new());
        }
        let page = AccountPage {
            search: (!search.is_empty()).then_some(search),
            after,
            limit: PAGE,
        };
        let listed = self.store.list_accounts(page, self.clock.now()).await;
        Ok(listed?)
    }

    /// The account of this address, in any of its spellings. For operators: to anybody else, who
    /// has an account is not told.
    pub async fn get_account(&self, email: &str) -> Result<Account, Problem> {
        let email = parse_email(email)?;
        let found = self.store.lookup_account(&email).await?;
        found
            .map(|stored| stored.account)
            .ok_or_else(|| no_account(&email))
    }

    /// The account with this id. For operators and admins.
    pub async fn get_account_summary(&self, id: &str) -> Result<AccountSummary, Problem> {
        let id = parse_account_id(id)?;
        let found = self.store.lookup_account_summary(id, self.clock.now());
        found.await?.ok_or_else(account_not_found)
    }
}

pub(super) fn parse_email(text: &str) -> Result<EmailAddress, Problem> {
    EmailAddress::parse(text).map_err(|rule| Problem::invalid_parameter("email", rule))
}

/// Takes an account's id. What is none and an unknown one are all the same.
pub fn parse_account_id(id: &str) -> Result<AccountId, Problem> {
    AccountId::parse(id).ok_or_else(account_not_found)
}

pub(super) fn account_not_found() -> Problem {
    Problem::new(Code::NotFound, "There is no such account.")
}

fn no_account(email: &EmailAddress) -> Problem {
    Problem::new(Code::NotFound, format!("There is no account {email}.")).with_param("email")
}
