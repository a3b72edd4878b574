use std::{fmt, sync::OnceLock};

use http::StatusCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Which part of keygate answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plane {
    /// The API for people and the pages.
    Management,
    /// What passes requests on to upstreams.
    Gateway,
    /// What answers proxies over HTTP.
    ForwardAuth,
    /// What answers Envoy over gRPC.
    ExtAuthz,
}

impl EncodeLabelValue for Plane {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> fmt::Result {
        let name = match self {
            Self::Management => "management",
            Self::Gateway => "gateway",
            Self::ForwardAuth => "forward_auth",
            Self::ExtAuthz => "ext_authz",
        };
        name.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    plane: Plane,
    route: String,
    status: u16,
}

/// Stands for the route of what belongs to none.
pub const NO_ROUTE: &str = "none";

/// Counts the answers of all planes. Each clone counts for all.
#[derive(Clone, Default)]
pub struct Requests(Family<Labels, Counter>);

impl Requests {
    /// Shows what is counted to whoever reads `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let help =
            "Requests that were answered, by the plane, the route and the status of the answer";
        registry.register("requests", help, self.0.clone());
    }

    /// Counts an answer on a route that is not known beforehand. Routes must be few: the template of
    /// a path, never a path as it came.
    pub fn count(&self, plane: Plane, route: &str, status: StatusCode) {
        self.0.get_or_create(&labels(plane, route, status)).inc();
    }

    /// What counts the answers on one route.
    pub fn on_route(&self, plane: Plane, route: &str) -> RouteRequests {
        RouteRequests {
            requests: self.clone(),
            plane,
            route: route.to_owned(),
            by_status: [const { OnceLock::new() }; STATUSES].into(),
        }
    }
}

fn labels(plane: Plane, route: &str, status: StatusCode) -> Labels {
    Labels {
        plane,
        route: route.to_owned(),
        status: status.as_u16(),
    }
}

/// The lowest status there is, and how many.
const LOWEST: u16 = 100;
const STATUSES: usize = 900;

/// Counts the answers on one route, without looking for the counter each time.
pub struct RouteRequests {
    requests: Requests,
    plane: Plane,
    route: String,
    by_status: Box<[OnceLock<Counter>]>,
}

impl RouteRequests {
    /// Counts an answer.
    pub fn count(&self, status: StatusCode) {
        let place = usize::from(status.as_u16() - LOWEST);
        let Requests(family) = &self.requests;
        let counter = self.by_status[place]
            .get_or_init(|| family.get_or_create_owned(&labels(self.plane, &self.route, status)));
        counter.inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn shown(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).expect("memory is there");
        text
    }

    #[test]
    fn both_ways_of_counting_count_the_same() {
        let (requests, mut registry) = (Requests::default(), Registry::default());
        let route = requests.on_route(Plane::Gateway, "/v1");
        route.count(StatusCode::OK);
        requests.register(&mut registry);
        route.count(StatusCode::OK);
        requests.count(Plane::Gateway, "/v1", StatusCode::OK);
        for odd in [100, 999] {
            let status = StatusCode::from_u16(odd).expect("a status");
            route.count(status);
        }
        let text = shown(&registry);
        for line in [
            "requests_total{plane=\"gateway\",route=\"/v1\",status=\"200\"} 3\n",
            "requests_total{plane=\"gateway\",route=\"/v1\",status=\"100\"} 1\n",
            "requests_total{plane=\"gateway\",route=\"/v1\",status=\"999\"} 1\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
