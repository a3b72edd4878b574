use askama::Template;
use axum::response::Response;
use http::StatusCode;
use keygate_core::{EmailAddress, Timestamp};
use keygate_wire::LinkResponse;

use crate::pages::{compression::with_secret, frame::Frame, moment::Moment, page};

#[derive(Template)]
#[template(path = "admin/link.html")]
struct LinkPage {
    frame: Frame,
    title: &'static str,
    explanation: String,
    link: String,
    expires: Moment,
}

/// A link for somebody new, of any address or of one.
pub(super) fn show_invitation(
    frame: Frame,
    made: LinkResponse,
    invited: Option<&EmailAddress>,
    now: Timestamp,
) -> Response {
    let explanation =
        "Send this link to the person who needs an account. They choose their own password.";
    let explanation = match invited {
        Some(email) => format!("{explanation} It is good only for {email}."),
        None => explanation.to_owned(),
    };
    show(frame, "Invitation", explanation, made, now)
}

/// A link for the owner of an account who has forgotten the password.
pub(super) fn show_reset(
    frame: Frame,
    made: LinkResponse,
    email: &EmailAddress,
    now: Timestamp,
) -> Response {
    let explanation = format!(
        "Send this link to the owner of {email}. They choose a new password with it. Until then the current one works."
    );
    show(frame, "Password reset link", explanation, made, now)
}

fn show(
    frame: Frame,
    title: &'static str,
    explanation: String,
    made: LinkResponse,
    now: Timestamp,
) -> Response {
    let shown = LinkPage {
        frame,
        title,
        explanation,
        link: made.link,
        expires: Moment::new(made.expires_at, now),
    };
    with_secret(page(StatusCode::CREATED, &shown))
}
