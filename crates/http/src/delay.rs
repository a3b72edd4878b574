use std::time::Duration;

use http::Response;

/// How long the client is to wait for an answer that is there, so that it does not ask again at once. It goes with the
/// answer to whoever serves the client's connection: nobody but the client is waited for, and the connection
/// can make room for another one meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Delay(pub Duration);

/// How long the client is to wait for this answer, if it is.
pub fn delay_of<B>(response: &Response<B>) -> Option<Duration> {
    let delay: Option<&Delay> = response.extensions().get();
    delay.map(|Delay(duration)| *duration)
}
