use std::io::IsTerminal;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::{input, output};
use crate::{
    config::Settings,
    failure::Failure,
    operator::{self, Command},
};

#[derive(Subcommand)]
pub(super) enum Account {
    /// Create an account; asks for its password, or reads it with --password-stdin
    Create(Create),
    /// List all accounts
    List(Format),
    /// Make an account an admin or a member; its sessions end
    SetRole(SetRole),
    /// Change an account's password; its sessions and the links that it created end
    ResetPassword(WithPassword),
    /// Create a link to reset an account's password, valid for a day
    ResetLink(One),
    /// Suspend an account: its sessions end and its keys stop working at once
    Suspend(One),
    /// Lift a suspension
    Resume(One),
    /// Create an invitation link for one new account, valid for a week
    Invite(Invite),
    /// List active links: purpose, account, and when they expire
    Links(Format),
    /// Withdraw a link: it no longer works
    WithdrawLink(Link),
}

#[derive(Args)]
pub(super) struct Format {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Invite {
    /// The address of the only account that can be made with it; any, without one
    email: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(super) struct One {
    /// The account's e-mail address
    email: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(super) struct Link {
    /// The link's id, as `keygate account links` shows it
    id: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(super) struct Create {
    #[command(flatten)]
    account: WithPassword,
    /// Make it an admin, who manages all accounts in the dashboard
    #[arg(long)]
    admin: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// Has keys
    Member,
    /// Manages all accounts, too
    Admin,
}

#[derive(Args)]
pub(super) struct SetRole {
    #[command(flatten)]
    account: One,
    /// The new role
    role: Role,
}

#[derive(Args)]
pub(super) struct WithPassword {
    #[command(flatten)]
    account: One,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl Account {
    pub(super) async fn run(self, settings: &mut Settings) -> Result<(), Failure> {
        match self {
            Self::Create(Create {
                account: args,
                admin: is_admin,
            }) => {
                let password = args.password().await?;
                let One { email, format } = args.account;
                let command = Command::CreateAccount {
                    email,
                    password,
                    is_admin,
                };
                let account = operator::run(settings, command).await?;
                format.print(&account, "The account {email} is ready. Issue it a key with:\n  keygate key issue --account {email} --name \"My first key\"")?;
                format.warn_without_admin(&account)
            }
            Self::List(format) => {
                let accounts = operator::run(settings, Command::ListAccounts).await?;
                format.table(&accounts, COLUMNS, "There are no accounts.")
            }
            Self::ResetPassword(args) => {
                let password = args.password().await?;
                let One { email, format } = args.account;
                let command = Command::SetPassword { email, password };
                let account = operator::run(settings, command).await?;
                format.print(
                    &account,
                    "The password of {email} is changed. Its sessions and the links that it created have ended.",
                )
            }
            Self::SetRole(SetRole {
                account: One { email, format },
                role,
            }) => {
                let is_admin = matches!(role, Role::Admin);
                let command = Command::SetRole { email, is_admin };
                let account = operator::run(settings, command).await?;
                format.print(&account, "{email} is now: {role}. Its sessions have ended.")?;
                format.warn_without_admin(&account)
            }
            Self::ResetLink(One { email, format }) => {
                let command = Command::LinkToResetPassword { email };
                output::check()?;
                let link = operator::run(settings, command).await?;
                format.print(&link, "{link}")
            }
            Self::Suspend(One { email, format }) => {
                let command = Command::SuspendAccount { email };
                let account = operator::run(settings, command).await?;
                format.print(
                    &account,
                    "The account {email} is suspended. Its keys no longer work.",
                )
            }
            Self::Resume(One { email, format }) => {
                let command = Command::ResumeAccount { email };
                let account = operator::run(settings, command).await?;
                format.print(
                    &account,
                    "The account {email} is resumed. Its keys work again.",
                )
            }
            Self::Invite(Invite { email, format }) => {
                output::check()?;
                let invitation = operator::run(settings, Command::Invite { email }).await?;
                format.print(&invitation, "{link}")
            }
            Self::Links(format) => {
                let links = operator::run(settings, Command::ListLinks).await?;
                format.table(&links, LINK_COLUMNS, "There are no active links.")
            }
            Self::WithdrawLink(Link { id, format }) => {
                let command = Command::WithdrawLink { id };
                let withdrawn = operator::run(settings, command).await?;
                format.print(&withdrawn, "The link is withdrawn; it no longer works.")
            }
        }
    }
}

const COLUMNS: &[(&str, &str)] = &[
    ("E-MAIL", "email"),
    ("ROLE", "role"),
    ("ACTIVE KEYS", "active_keys"),
    ("KEYS", "keys"),
    ("CREATED", "created_at"),
    ("SUSPENDED", "suspended_at"),
    ("ID", "id"),
];

const LINK_COLUMNS: &[(&str, &str)] = &[
    ("FOR", "kind"),
    ("ACCOUNT", "account"),
    ("MADE BY", "created_by"),
    ("MADE", "created_at"),
    ("ENDS", "expires_at"),
    ("ID", "id"),
];

impl Format {
    /// Whether it is read by people, and not by a program.
    pub(super) fn is_for_people(&self) -> bool {
        !self.json
    }

    /// Says how an account becomes an admin's, where none is: nobody could look after the others.
    fn warn_without_admin(&self, account: &Value) -> Result<(), Failure> {
        if self.json || account["admin_exists"] != false {
            return Ok(());
        }
        self.print(
            account,
            "There is no admin now. Make an account an admin with:\n  keygate account set-role {email} admin",
        )
    }

    /// JSON, or the sentence with the value's fields in it.
    pub(super) fn print(&self, value: &Value, sentence: &str) -> Result<(), Failure> {
        output::line(&self.text(value, sentence))
    }

    /// What is printed.
    pub(super) fn text(&self, value: &Value, sentence: &str) -> String {
        if self.json {
            return format!("{value:#}");
        }
        let mut sentence = sentence.to_owned();
        for (name, value) in value.as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            sentence = sentence.replace(&format!("{{{name}}}"), value);
        }
        sentence
    }

    /// JSON, or a table, or a sentence where there is nothing to list.
    pub(super) fn table(
        &self,
        rows: &Value,
        columns: &[(&str, &str)],
        none: &str,
    ) -> Result<(), Failure> {
        if self.json {
            output::json(rows)
        } else if rows.as_array().is_none_or(Vec::is_empty) {
            output::line(none)
        } else {
            output::table(rows, columns)
        }
    }
}

impl WithPassword {
    /// The password: from standard input without its line end, or asked for twice on the terminal.
    async fn password(&self) -> Result<String, Failure> {
        if self.password_stdin {
            return Ok(input::without_line_end(input::standard_input("password")?));
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::new(
                "There is no terminal to ask for the password. Pass it with --password-stdin.",
            ));
        }
        let password = input::ask_password("Password: ").await?;
        if input::ask_password("Again: ").await? == password {
            Ok(password)
        } else {
            Err(Failure::new(
                "The two passwords differ. Nothing was changed.",
            ))
        }
    }
}
