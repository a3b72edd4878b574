//! Who competes, and how each is set up.

mod asking;
pub(crate) mod envoy;
pub(crate) mod haproxy;
pub(crate) mod keygate;
pub(crate) mod nginx;

use crate::{
    Failure,
    server::{SERVER_CORE, Server},
    world::{World, free_port},
};

/// A set-up that is measured.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// Whether the others are compared with it.
    pub(crate) is_peer: bool,
    /// What the load asks for.
    pub(crate) path: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) start: fn(&World) -> Result<Running, Failure>,
}

/// A set-up that runs: its processes, and where the load goes.
pub(crate) struct Running {
    pub(crate) servers: Vec<Server>,
    pub(crate) port: u16,
}

impl Running {
    /// One process, started by the command that `command` makes for a free port.
    pub(crate) fn one(
        command: impl FnOnce(u16) -> Result<Vec<String>, Failure>,
    ) -> Result<Self, Failure> {
        let port = free_port()?;
        let server = Server::start(SERVER_CORE, &command(port)?, port)?;
        Ok(Self {
            servers: vec![server],
            port,
        })
    }
}

const MODELS: &str = "/v1/models";

fn subject(name: &'static str, start: fn(&World) -> Result<Running, Failure>) -> Subject {
    Subject {
        name,
        is_peer: false,
        path: MODELS,
        headers: &[],
        start,
    }
}

fn peer(name: &'static str, start: fn(&World) -> Result<Running, Failure>) -> Subject {
    Subject {
        is_peer: true,
        ..subject(name, start)
    }
}

/// Who says whether a key is good.
pub(crate) fn checking() -> Vec<Subject> {
    vec![
        peer("nginx, map of 10,000 keys", |world| {
            Running::one(|port| nginx::map(world, port, nginx::NO_CONTENT))
        }),
        keygate_verify(),
        subject("keygate /verify, HTTP library only", |world| {
            Running::one(|port| keygate::serve(world, port))
        })
        .at("/verify", keygate::QUESTION_BY_LIBRARY),
        subject("hyper, 204 without a check", |_| Running::one(floor)),
        subject("nginx, 204 without a check", |world| {
            Running::one(|port| nginx::open(world, port, nginx::NO_CONTENT))
        }),
        subject("HAProxy, map of 10,000 keys", |world| {
            Running::one(|port| haproxy::map(world, port, haproxy::NO_CONTENT))
        }),
        subject("Envoy, api_key_auth with 10,000 keys", |world| {
            Running::one(|port| envoy::api_keys(world, port, false))
        }),
    ]
}

/// keygate over each of its databases, with all keys in memory.
pub(crate) fn databases() -> Vec<Subject> {
    let over = |name, start: fn(&World) -> Result<Running, Failure>| {
        subject(name, start).asked_as_by_nginx()
    };
    let sqlite = over("SQLite", |world| {
        Running::one(|port| keygate::serve(world, port))
    });
    vec![
        Subject {
            is_peer: true,
            ..sqlite
        },
        over("PostgreSQL", |world| {
            Running::one(|port| keygate::on_database(world, port, world.postgres()?))
        }),
    ]
}

/// keygate's own answer to proxies.
pub(crate) fn keygate_verify() -> Subject {
    subject("keygate /verify", |world| {
        Running::one(|port| keygate::serve(world, port))
    })
    .asked_as_by_nginx()
}

/// Who passes a request with a good key on to an upstream that answers 100 bytes.
pub(crate) fn proxying() -> Vec<Subject> {
    vec![
        peer("nginx, map of 10,000 keys", |world| {
            Running::one(|port| nginx::map(world, port, nginx::PASS))
        }),
        subject("keygate", |world| {
            Running::one(|port| keygate::serve(world, port))
        }),
        subject("keygate, HTTP library only", |world| {
            Running::one(|port| keygate::serve(world, port))
        })
        .at(MODELS, keygate::BY_LIBRARY),
        subject("nginx, no check", |world| {
            Running::one(|port| nginx::open(world, port, nginx::PASS))
        }),
        subject("HAProxy, map of 10,000 keys", |world| {
            Running::one(|port| haproxy::map(world, port, &haproxy::pass(world)))
        }),
        subject("Envoy, api_key_auth with 10,000 keys", |world| {
            Running::one(|port| envoy::api_keys(world, port, true))
        }),
        subject("nginx, auth_request to keygate", asking::nginx),
        subject("Envoy, ext_authz (gRPC) to keygate", asking::envoy),
        subject("Caddy, forward_auth to keygate", asking::caddy),
    ]
}

impl Subject {
    /// What is asked of it is how nginx would ask.
    pub(crate) fn asked_as_by_nginx(self) -> Self {
        self.at("/verify", keygate::QUESTION)
    }

    fn at(self, path: &'static str, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            path,
            headers,
            ..self
        }
    }
}

fn floor(port: u16) -> Result<Vec<String>, Failure> {
    let program = std::env::current_exe()?.to_string_lossy().into_owned();
    Ok(vec![program, "floor".to_owned(), port.to_string()])
}
