//! Where keys come from, and what decides about them: keygate's parts over a database of its own.

use std::{error::Error, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
};
use keygate_control::{Control, Policy};
use keygate_core::{
    OsRandom, SystemClock,
    key::{KeyFormat, KeyHasher},
};
use keygate_http::{ClientAddress, Requests};
use keygate_storage::Store;
use keygate_verify::Verifier;
use keygate_web::{Site, WebState};

/// What a server needs that has keys.
pub(crate) struct Keys {
    /// Decides about keys; about those that were seen before without the database.
    pub(crate) verifier: Arc<Verifier>,
    /// Accounts, sessions and `/api/keys`.
    pub(crate) management: Router,
}

/// Opens the database at `path`, or makes it. People reach the server at `origin`.
#[expect(clippy::print_stdout, reason = "it speaks to whoever runs it")]
pub(crate) async fn open(path: &str, origin: String) -> Result<Keys, Box<dyn Error>> {
    let store: Arc<dyn Store> = Arc::new(keygate_storage_sqlite::open(Path::new(path))?);
    let (clock, random) = (Arc::new(SystemClock), Arc::new(OsRandom));
    let (format, hasher, policy) = (
        KeyFormat::default(),
        KeyHasher::default(),
        Policy::default(),
    );
    let session_absolute = policy.session_absolute;

    let (credentials, at) = (store.clone(), clock.clone());
    let verifier = Verifier::new(credentials, at, &*random, format.clone(), hasher.clone())
        .subscribed_to(&*store);
    let (recorder, ledger) = (verifier.clone(), store.clone());
    tokio::spawn(async move {
        let usage = recorder.usage();
        usage.flush_every(Duration::from_secs(1), &*ledger).await;
    });

    let control = Control::new(store, clock, random, format, hasher, policy);
    if let Some(token) = control.create_setup_link().await? {
        println!(
            "Make the first account: {origin}/signup?token={}",
            token.expose()
        );
    }
    let site = Site {
        origin,
        is_configured: false,
        brand: Arc::default(),
    };
    // What it counts is shown nowhere.
    let requests = Requests::default();
    let state = WebState::new(Arc::new(control), site, "", session_absolute, requests);
    Ok(Keys {
        verifier,
        management: keygate_web::router(state),
    })
}

/// Limits on signing in, and on keys that do not exist, go by this.
pub(crate) async fn with_client_address(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Request {
    request.extensions_mut().insert(ClientAddress(peer.ip()));
    request
}
