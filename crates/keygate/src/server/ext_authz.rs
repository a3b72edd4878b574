use keygate_gateway::ExtAuthz;
use tokio::net::TcpListener;

use super::connections::{DRAIN_TIMEOUT, quiet};

/// Answers Envoy's questions until `stop`, then finishes those under way.
pub(super) async fn serve(
    service: ExtAuthz,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Clone,
) {
    let stopped = stop.clone();
    let is_busy = service.is_busy();
    let cut_off = async {
        stopped.await;
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, quiet(is_busy)).await;
    };
    tokio::select! {
        served = service.serve(listener, stop) => {
            if let Err(error) = served {
                tracing::error!(%error, "ext_authz is no longer served");
            }
        }
        () = cut_off => {}
    }
}
