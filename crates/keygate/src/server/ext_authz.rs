use std::{net::SocketAddr, sync::Arc};

use http::Request;
use keygate_gateway::ExtAuthz;
use keygate_http::ClientBody;
use tokio::sync::watch;

use super::{connections::Handler, http_server::HttpServer, timeout_stream::TimeoutStream};

/// Answers Envoy's questions.
pub(super) struct ExtAuthzServer {
    pub(super) ext_authz: Arc<ExtAuthz>,
    pub(super) http: HttpServer,
}

impl Handler for ExtAuthzServer {
    async fn serve(
        self: Arc<Self>,
        stream: TimeoutStream,
        peer: SocketAddr,
        draining: watch::Receiver<()>,
    ) {
        let ext_authz = self.ext_authz.clone();
        let answer = move |request: Request<ClientBody>| ext_authz.clone().handle(request, peer);
        self.http.serve(stream, answer, draining).await;
    }
}
