use keygate_control::{
    AccountSummary, Actor, Control, IssueKey, IssuedKey, KeyStatus, Link, PAGE, parse_expires_at,
    parse_key_name,
};
use keygate_core::{Account, ApiKey, Problem, Role, Scope, Scopes};
use keygate_web::{CreateKeyResponse, KeyResponse, ListedLinkResponse, password_link, signup_link};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    incidents::{self, IncidentFields},
    pages::all_pages,
};

/// What an operator can ask for. It can hold a password, so it cannot be printed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    CreateAccount {
        email: String,
        password: String,
        is_admin: bool,
    },
    ListAccounts,
    SetRole {
        email: String,
        is_admin: bool,
    },
    SetPassword {
        email: String,
        password: String,
    },
    LinkToResetPassword {
        email: String,
    },
    SuspendAccount {
        email: String,
    },
    ResumeAccount {
        email: String,
    },
    Invite,
    ListLinks,
    WithdrawLink {
        id: String,
    },
    ListKeys {
        account: String,
    },
    IssueKey {
        account: String,
        name: String,
        scopes: Vec<String>,
        expires_at: Option<String>,
    },
    RevokeKey {
        account: String,
        id: String,
    },
    ListIncidents,
    PostIncident(IncidentFields),
    ScheduleMaintenance(IncidentFields),
    UpdateIncident {
        id: String,
        message: String,
        state: Option<String>,
    },
    EditIncident {
        id: String,
        fields: IncidentFields,
    },
    EditIncidentUpdate {
        id: String,
        update: String,
        message: String,
    },
}

impl Command {
    /// Does what is asked for. Links lead to `origin`.
    pub(super) async fn execute(self, control: &Control, origin: &str) -> Result<Value, Problem> {
        match self {
            Self::CreateAccount {
                email,
                password,
                is_admin,
            } => {
                let role = role(is_admin);
                let account = control.create_account(&email, &password, role).await?;
                with_admins(control, &account).await
            }
            Self::ListAccounts => list_accounts(control).await,
            Self::SetRole { email, is_admin } => {
                let account = control.get_account(&email).await?;
                control.set_role(account.id, role(is_admin)).await?;
                let account = control.get_account(&email).await?;
                with_admins(control, &account).await
            }
            Self::SetPassword { email, password } => {
                let account = control.get_account(&email).await?;
                control.set_password(&account, &password).await?;
                Ok(account_json(&account))
            }
            Self::LinkToResetPassword { email } => {
                let account = control.get_account(&email).await?;
                let reset = control.create_password_reset(Actor::Operator, account.id);
                let made = reset.await?;
                let link = password_link(origin, &made.token);
                Ok(json!({"email": account.email, "id": made.id, "link": link}))
            }
            Self::SuspendAccount { email } => {
                let account = control.get_account(&email).await?;
                let operator = Actor::Operator;
                control.suspend_account(operator, account.id).await?;
                Ok(account_json(&control.get_account(&email).await?))
            }
            Self::ResumeAccount { email } => {
                let account = control.get_account(&email).await?;
                let operator = Actor::Operator;
                control.resume_account(operator, account.id).await?;
                Ok(account_json(&control.get_account(&email).await?))
            }
            Self::Invite => {
                let made = control.create_invitation(Actor::Operator).await?;
                let link = signup_link(origin, &made.token);
                Ok(json!({"id": made.id, "link": link}))
            }
            Self::ListLinks => list_links(control).await,
            Self::WithdrawLink { id } => {
                control.withdraw_link(Actor::Operator, &id).await?;
                Ok(json!({"id": id}))
            }
            Self::ListKeys { account } => list_keys(control, &account).await,
            Self::IssueKey {
                account,
                name,
                scopes,
                expires_at,
            } => issue_key(control, &account, &name, &scopes, expires_at.as_deref()).await,
            Self::RevokeKey { account, id } => {
                let account = control.get_account(&account).await?;
                control.revoke_key(Actor::Operator, account.id, &id).await?;
                Ok(json!({"id": id}))
            }
            Self::ListIncidents => incidents::list(control).await,
            Self::PostIncident(fields) => fields.post(control).await,
            Self::ScheduleMaintenance(fields) => fields.schedule(control).await,
            Self::UpdateIncident { id, message, state } => {
                incidents::update(control, &id, &message, state.as_deref()).await
            }
            Self::EditIncident { id, fields } => fields.edit(control, &id).await,
            Self::EditIncidentUpdate {
                id,
                update,
                message,
            } => incidents::edit_update(control, &id, &update, &message).await,
        }
    }
}

fn role(is_admin: bool) -> Role {
    if is_admin { Role::Admin } else { Role::Member }
}

/// All accounts, with how many keys they have.
async fn list_accounts(control: &Control) -> Result<Value, Problem> {
    let page = |after| control.list_accounts("", after);
    let accounts = all_pages(page, |last: &AccountSummary| last.account.id).await?;
    let shown = accounts.iter().map(|found| {
        let mut shown = account_json(&found.account);
        shown["active_keys"] = found.active_keys.into();
        shown["keys"] = found.keys.into();
        shown
    });
    Ok(shown.collect())
}

/// All one-time links that still work.
async fn list_links(control: &Control) -> Result<Value, Problem> {
    let page = |before| control.list_links(before, PAGE);
    let links = all_pages(page, |last: &Link| last.id).await?;
    let shown = links.into_iter().map(ListedLinkResponse::from);
    Ok(shown.map(|link| json!(link)).collect())
}

/// An account, and whether anybody is an admin now that it is as it is.
async fn with_admins(control: &Control, account: &Account) -> Result<Value, Problem> {
    let mut shown = account_json(account);
    shown["admin_exists"] = (!control.lacks_admin().await?).into();
    Ok(shown)
}

/// All keys of an account, in any state.
async fn list_keys(control: &Control, account: &str) -> Result<Value, Problem> {
    let account = control.get_account(account).await?;
    let page = |before| control.list_keys(account.id, KeyStatus::All, before);
    let keys = all_pages(page, |last: &ApiKey| last.id).await?;
    Ok(keys.into_iter().map(key_json).collect())
}

/// A key as the API shows it, and how often it was used.
fn key_json(key: ApiKey) -> Value {
    let requests = key.request_count;
    let mut shown = json!(KeyResponse::from(key));
    shown["requests"] = requests.into();
    shown
}

async fn issue_key(
    control: &Control,
    account: &str,
    name: &str,
    scopes: &[String],
    expires_at: Option<&str>,
) -> Result<Value, Problem> {
    let account = control.get_account(account).await?;
    let scopes: Option<Scopes> = scopes.iter().map(|name| Scope::parse(name)).collect();
    let scopes = scopes
        .ok_or_else(|| Problem::invalid_parameter("scopes", "must be chat, read or write"))?;
    let request = IssueKey {
        name: parse_key_name(name)?,
        scopes: (!scopes.is_empty()).then_some(scopes),
        expires_at: expires_at.map(parse_expires_at).transpose()?,
    };
    let issued: IssuedKey = control
        .issue_key(Actor::Operator, account.id, request)
        .await?;
    Ok(json!(CreateKeyResponse::from(issued)))
}

fn account_json(account: &Account) -> Value {
    json!({
        "id": account.id,
        "email": account.email,
        "role": account.role,
        "suspended_at": account.suspended_at,
        "created_at": account.created_at,
    })
}
