//! Which requests are the data plane's, by their paths.

use percent_encoding::percent_decode_str;

use crate::{Gateway, forward_auth::is_forward_auth, is_data_plane};

/// Which paths of a listener are the data plane's.
#[derive(Debug, Clone, Copy)]
pub enum Paths {
    /// All of them, without forward-auth.
    All,
    /// Those of the gateway but for those that are keygate's own, and that of forward-auth.
    Shared {
        /// Whether a path is keygate's own.
        is_own: fn(&str) -> bool,
    },
}

/// Which part of the data plane a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// The gateway, which passes it on.
    Gateway,
    /// The answers to proxies.
    ForwardAuth,
}

impl Paths {
    /// The part of the data plane that a path belongs to.
    pub fn front(self, path: &str, gateway: &Gateway) -> Option<Front> {
        match self {
            Self::All => Some(Front::Gateway),
            Self::Shared { .. } if is_data_plane(path) => Some(Front::Gateway),
            Self::Shared { .. } if is_forward_auth(path) => Some(Front::ForwardAuth),
            Self::Shared { .. } => {
                (!self.keep(path) && gateway.serves(path)).then_some(Front::Gateway)
            }
        }
    }

    /// Whether a path, in any spelling, is kept from the upstreams.
    pub fn keep(self, path: &str) -> bool {
        match self {
            Self::All => false,
            Self::Shared { is_own } => {
                let path = percent_decode_str(path).decode_utf8_lossy();
                is_own(&path) || is_forward_auth(&path)
            }
        }
    }
}
