use keygate_gateway::ExtAuthz;
use tokio::net::TcpListener;

use super::connections::DRAIN_TIMEOUT;

/// Answers Envoy's questions until `stop`, then finishes those under way.
pub(super) async fn serve(
    service: ExtAuthz,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Clone,
) {
    let stopped = stop.clone();
    let cut_off = async {
        stopped.await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
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
