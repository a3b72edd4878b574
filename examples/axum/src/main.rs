//! An API of one route that asks for a key. Where its keys come from stands in `keys.rs`.

mod keys;

use std::net::SocketAddr;

use axum::{Extension, Router, middleware::map_request, routing::get};
use keygate_core::{Credential, Scope};
use keygate_verify::RequireScope;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let keys = keys::open("keygate.db", format!("http://{address}")).await?;

    let api = Router::new()
        .route("/v1/hello", get(hello))
        .route_layer(RequireScope::new(keys.verifier, Scope::Read));

    let app = api
        .merge(keys.management)
        .layer(map_request(keys::with_client_address));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

async fn hello(Extension(key): Extension<Credential>) -> String {
    format!("Hello, account {}\n", key.account_id)
}
