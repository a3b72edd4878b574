use clap::{Args, Subcommand, ValueEnum};
use keygate_wire::Fields;
use serde_json::Value;

use super::{account::Format, output};
use crate::{
    config::Settings,
    failure::Failure,
    operator::{self, Command},
};

#[derive(Subcommand)]
pub(super) enum Key {
    /// List an account's keys, in any state
    List(List),
    /// Issue a key; its secret is printed once
    Issue(Issue),
    /// Revoke a key for good, at once
    Revoke(Revoke),
}

#[derive(Args)]
struct Owner {
    /// The account's e-mail address
    #[arg(long, value_name = "EMAIL")]
    account: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    owner: Owner,
}

#[derive(Args)]
pub(super) struct Issue {
    #[command(flatten)]
    owner: Owner,
    /// The key's name
    #[arg(long)]
    name: String,
    /// A scope; can be repeated [default: chat and read]
    #[arg(long = "scope", value_enum)]
    scopes: Vec<IssuableScope>,
    /// When it expires, like 2030-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

#[derive(Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    owner: Owner,
    /// The key's id, as the list shows it
    id: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum IssuableScope {
    Chat,
    Read,
    Write,
}

impl IssuableScope {
    fn name(self) -> String {
        let value = self.to_possible_value().expect("no scope is hidden");
        value.get_name().to_owned()
    }
}

const COLUMNS: &[(&str, &str)] = &[
    ("PREFIX", "key_prefix"),
    ("NAME", "name"),
    ("SCOPES", "scopes"),
    ("ACTIVE", "is_active"),
    ("REQUESTS", "requests"),
    ("LAST USED", "last_used_at"),
    ("EXPIRES", "expires_at"),
    ("ID", "id"),
];

impl Key {
    pub(super) async fn run(self, settings: &mut Settings) -> Result<(), Failure> {
        match self {
            Self::List(List { owner }) => {
                let command = Command::ListKeys {
                    account: owner.account,
                };
                let keys = operator::run(settings, command).await?;
                owner
                    .format
                    .table(&keys, COLUMNS, "The account has no keys.")
            }
            Self::Issue(issue) => {
                let account = issue.owner.account;
                let scopes: Vec<_> = issue.scopes.into_iter().map(IssuableScope::name).collect();
                let fields = Fields::default()
                    .with("name", Some(issue.name))
                    .with("scopes", Some(scopes).filter(|scopes| !scopes.is_empty()))
                    .with("expires_at", issue.expires_at);
                let command = Command::IssueKey {
                    account: account.clone(),
                    request: fields.read()?,
                };
                output::check()?;
                let key = operator::run(settings, command).await?;
                if let Err(error) = output::write_line(&issue.owner.format.text(&key, "{key}")) {
                    return Err(revoke_unseen(settings, account, &key, &error).await);
                }
                output::hint("This is the only time the key is shown. Keep it safe.");
                Ok(())
            }
            Self::Revoke(Revoke { owner, id }) => {
                let command = Command::RevokeKey {
                    account: owner.account,
                    id,
                };
                let revoked = operator::run(settings, command).await?;
                owner.format.print(&revoked, "The key {id} is revoked.")
            }
        }
    }
}

/// Revokes a key whose secret nobody has seen: it would be active for good, and nobody could use it.
async fn revoke_unseen(
    settings: &mut Settings,
    account: String,
    key: &Value,
    error: &std::io::Error,
) -> Failure {
    let id = key["id"].as_str().unwrap_or_default().to_owned();
    let command = Command::RevokeKey {
        account: account.clone(),
        id: id.clone(),
    };
    let what = format!("The key cannot be written to standard output ({error})");
    Failure::new(match operator::run(settings, command).await {
        Ok(_) => format!("{what}, so it was revoked."),
        Err(failure) => format!(
            "{what}, and it cannot be revoked ({failure}). Revoke it with keygate key revoke --account {account} {id}"
        ),
    })
}
