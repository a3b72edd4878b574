use keygate_control::{Actor, Control, PAGE};
use keygate_core::{Account, AccountSummary, ApiKey, KeyStatus, Link, Problem, Role};
use keygate_wire::{
    AccountSummaryResponse, CreateKeyRequest, CreateKeyResponse, EditIncidentRequest,
    EditIncidentUpdateRequest, KeyResponse, LinkResponse, ListedLinkResponse, PostIncidentRequest,
    ScheduleMaintenanceRequest, UpdateIncidentRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Health, incidents, pages::all_pages};
use crate::failure::Failure;

/// What an operator can ask for. It can hold a password, so it cannot be printed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    ReportHealth,
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
    Invite {
        email: Option<String>,
    },
    ListLinks,
    WithdrawLink {
        id: String,
    },
    ListKeys {
        account: String,
    },
    IssueKey {
        account: String,
        request: CreateKeyRequest,
    },
    RevokeKey {
        account: String,
        id: String,
    },
    ListIncidents,
    PostIncident(PostIncidentRequest),
    ScheduleMaintenance(ScheduleMaintenanceRequest),
    UpdateIncident {
        id: String,
        request: UpdateIncidentRequest,
    },
    EditIncident {
        id: String,
        request: EditIncidentRequest,
    },
    EditIncidentUpdate {
        id: String,
        update: String,
        request: EditIncidentUpdateRequest,
    },
}

impl Command {
    /// Does what is asked for. Links lead to `origin`.
    pub(super) async fn execute(self, control: &Control, origin: &str) -> Result<Value, Problem> {
        match self {
            Self::ReportHealth => Ok(json!(health(control).await)),
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
                with_admins(control, &account).await
            }
            Self::SetPassword { email, password } => {
                let account = control.get_account(&email).await?;
                control.set_password(&account, &password).await?;
                account_json(control, &account).await
            }
            Self::LinkToResetPassword { email } => {
                let account = control.get_account(&email).await?;
                let reset = control.create_password_reset(Actor::Operator, account.id);
                let made = LinkResponse::to_reset_password(origin, &reset.await?);
                let mut shown = json!(made);
                shown["email"] = account.email.as_str().into();
                Ok(shown)
            }
            Self::SuspendAccount { email } => {
                let account = control.get_account(&email).await?;
                let operator = Actor::Operator;
                control.suspend_account(operator, account.id).await?;
                account_json(control, &account).await
            }
            Self::ResumeAccount { email } => {
                let account = control.get_account(&email).await?;
                let operator = Actor::Operator;
                control.resume_account(operator, account.id).await?;
                account_json(control, &account).await
            }
            Self::Invite { email } => {
                let made = control.create_invitation(Actor::Operator, email.as_deref());
                let made = made.await?;
                Ok(json!(LinkResponse::to_sign_up(origin, &made)))
            }
            Self::ListLinks => list_links(control).await,
            Self::WithdrawLink { id } => {
                control.withdraw_link(Actor::Operator, &id).await?;
                Ok(json!({"id": id}))
            }
            Self::ListKeys { account } => list_keys(control, &account).await,
            Self::IssueKey { account, request } => issue_key(control, &account, request).await,
            Self::RevokeKey { account, id } => {
                let account = control.get_account(&account).await?;
                control.revoke_key(Actor::Operator, account.id, &id).await?;
                Ok(json!({"id": id}))
            }
            Self::ListIncidents => incidents::list(control).await,
            Self::PostIncident(request) => incidents::post(control, request).await,
            Self::ScheduleMaintenance(request) => incidents::schedule(control, request).await,
            Self::UpdateIncident { id, request } => incidents::update(control, &id, request).await,
            Self::EditIncident { id, request } => incidents::edit(control, &id, request).await,
            Self::EditIncidentUpdate {
                id,
                update,
                request,
            } => incidents::edit_update(control, &id, &update, request).await,
        }
    }
}

async fn health(control: &Control) -> Health {
    let unready = control.check_store().await.err();
    let concerns = control.concerns().into_iter();
    Health {
        unready: unready.map(|problem| Failure::from(problem).to_string()),
        concerns: concerns.map(|concern| concern.message).collect(),
    }
}

fn role(is_admin: bool) -> Role {
    if is_admin { Role::Admin } else { Role::Member }
}

/// All accounts, with how many keys they have.
async fn list_accounts(control: &Control) -> Result<Value, Problem> {
    let page = |after| control.list_accounts("", after);
    let accounts = all_pages(page, |last: &AccountSummary| last.account.id).await?;
    let shown = accounts.into_iter().map(AccountSummaryResponse::from);
    Ok(shown.map(|account| json!(account)).collect())
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
    let mut shown = account_json(control, account).await?;
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
    request: CreateKeyRequest,
) -> Result<Value, Problem> {
    let account = control.get_account(account).await?;
    let issued = control.issue_key(Actor::Operator, account.id, request.into());
    Ok(json!(CreateKeyResponse::from(issued.await?)))
}

/// An account as it is now.
async fn account_json(control: &Control, account: &Account) -> Result<Value, Problem> {
    let id = account.id.to_string();
    let summary = control.get_account_summary(&id).await?;
    Ok(json!(AccountSummaryResponse::from(summary)))
}
