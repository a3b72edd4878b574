use keygate_core::{Account, Code, EmailAddress, Problem};

use crate::{Control, unavailable};

impl Control {
    /// All accounts, oldest first.
    pub async fn list_accounts(&self) -> Result<Vec<Account>, Problem> {
        self.store.list_accounts().await.map_err(unavailable)
    }

    /// The account of this address, in any of its spellings. For operators: to anybody else, who
    /// has an account is not told.
    pub async fn get_account(&self, email: &str) -> Result<Account, Problem> {
        let email = parse_email(email)?;
        let found = self
            .store
            .lookup_account(&email)
            .await
            .map_err(unavailable)?;
        found
            .map(|stored| stored.account)
            .ok_or_else(|| no_account(&email))
    }
}

pub(super) fn parse_email(text: &str) -> Result<EmailAddress, Problem> {
    EmailAddress::parse(text).map_err(|rule| Problem::invalid_parameter("email", rule))
}

pub(super) fn no_account(email: &EmailAddress) -> Problem {
    Problem::new(Code::NotFound, format!("There is no account {email}.")).with_param("email")
}
