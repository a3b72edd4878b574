//! An API of one route that asks for a key, and the management of its keys, in one process.

use std::{error::Error, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{ConnectInfo, Request},
    middleware::map_request,
    routing::get,
};
use keygate_control::{Control, Policy};
use keygate_core::{
    Credential, OsRandom, Scope, SystemClock,
    key::{KeyFormat, KeyHasher},
};
use keygate_http::ClientAddress;
use keygate_storage::Store;
use keygate_storage_sqlite::SqliteStore;
use keygate_verify::{RequireScope, Verifier};
use keygate_web::{Site, WebState};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it speaks to whoever runs it")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let (origin, lifetime) = (
        format!("http://{address}"),
        Policy::default().session_absolute,
    );
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(Path::new("keygate.db"))?);
    let (clock, random) = (Arc::new(SystemClock), Arc::new(OsRandom));
    let (format, hasher) = (KeyFormat::default(), KeyHasher::default());

    // Who may do what: keys that were seen before are decided about without the database.
    let (keys, at) = (store.clone(), clock.clone());
    let verifier =
        Verifier::new(keys, at, &*random, format.clone(), hasher.clone()).subscribed_to(&*store);
    let (recorder, ledger) = (verifier.clone(), store.clone());
    tokio::spawn(async move {
        let usage = recorder.usage();
        usage.flush_every(Duration::from_secs(1), &*ledger).await;
    });
    let api = Router::new()
        .route("/v1/hello", get(hello))
        .route_layer(RequireScope::new(verifier, Scope::Read));

    // Where keys come from: accounts, sessions and `/api/keys`, beside the API.
    let control = Arc::new(Control::new(
        store,
        clock,
        random,
        format,
        hasher,
        Policy::default(),
    ));
    if let Some(token) = control.create_setup_link().await? {
        println!(
            "Make the first account: {origin}/signup?token={}",
            token.expose()
        );
    }
    let site = Site {
        origin,
        is_configured: false,
    };
    let app = api
        .merge(keygate_web::router(WebState::new(control, site, lifetime)))
        .layer(map_request(with_client_address))
        .into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

async fn hello(Extension(key): Extension<Credential>) -> String {
    format!("Hello, account {}\n", key.account_id)
}

/// Limits on signing in go by this.
async fn with_client_address(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Request {
    request.extensions_mut().insert(ClientAddress(peer.ip()));
    request
}
