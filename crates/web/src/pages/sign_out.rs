use axum::{extract::State, response::Response};
use http::{HeaderMap, header::SET_COOKIE};
use keygate_core::Code;

use super::{frame::Frame, go_to, message};
use crate::state::WebState;

/// `POST /signout`
pub(crate) async fn submit(State(state): State<WebState>, headers: HeaderMap) -> Response {
    let (control, cookie) = (state.control(), state.cookie());
    let ended = match control.authenticate(cookie.read(&headers)).await {
        Ok(signed_in) => control.sign_out(&signed_in).await,
        Err(problem) => Err(problem),
    };
    match ended {
        Err(problem) if !matches!(problem.code, Code::SessionExpired | Code::SessionRequired) => {
            message::show(Frame::signed_out(&state, ""), &problem)
        }
        _ => {
            let mut response = go_to("/signin?because=signed-out");
            response.headers_mut().append(SET_COOKIE, cookie.clear());
            response
        }
    }
}
