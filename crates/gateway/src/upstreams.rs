use std::{cmp::Reverse, fmt, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::Semaphore, time::sleep};

use crate::{Upstream, balancer::Balancer};

/// How often upstreams that share a path are asked whether they work.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// The upstreams by path; the longest path that covers a request wins.
pub struct Upstreams {
    by_path: Vec<Balancer>,
    /// For connections to all of them.
    places: Arc<Semaphore>,
}

impl Upstreams {
    /// Sorts the upstreams. Those with the same path share its requests.
    pub fn new(mut upstreams: Vec<Upstream>) -> Self {
        let places = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        for upstream in &mut upstreams {
            upstream.connector.places = places.clone();
        }
        let mut by_path: Vec<Vec<Arc<Upstream>>> = Vec::new();
        for upstream in upstreams {
            let same = by_path
                .iter_mut()
                .find(|others| others[0].path() == upstream.path());
            match same {
                Some(others) => others.push(Arc::new(upstream)),
                None => by_path.push(vec![Arc::new(upstream)]),
            }
        }
        by_path.sort_by_key(|sharing| Reverse(sharing[0].path_length()));
        let by_path = by_path.into_iter().map(Balancer::new).collect();
        Self { by_path, places }
    }

    /// Has no more connections to all of them together than so many.
    pub fn limit_connections(&self, limit: usize) {
        let surplus = Semaphore::MAX_PERMITS.saturating_sub(limit);
        self.places.forget_permits(surplus);
    }

    /// The place in the list of those for a path.
    pub(crate) fn position(&self, path: &str) -> Option<usize> {
        let mut by_path = self.by_path.iter();
        by_path.position(|sharing| sharing.first().matches(path))
    }

    /// All of them, the longest path first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.by_path.iter().flat_map(Balancer::upstreams)
    }

    /// Their paths, the longest first.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.by_path.iter().map(|sharing| sharing.first().path())
    }

    /// Asks those that share a path whether they work, every few seconds, for ever.
    pub fn check_health(&self) -> impl Future<Output = ()> + Send + use<> {
        let have_others = self.by_path.iter().map(Balancer::upstreams);
        let have_others = have_others.filter(|sharing| sharing.len() > 1);
        let checked: Vec<_> = have_others.flatten().cloned().collect();
        async move {
            loop {
                join_all(checked.iter().map(|upstream| upstream.check_health())).await;
                sleep(CHECK_EVERY).await;
            }
        }
    }

    /// Closes connections that have waited too long for a request.
    pub(crate) fn sweep(&self) {
        for upstream in self.iter() {
            upstream.connections.sweep();
            upstream.sockets.sweep();
        }
    }

    pub(crate) fn at(&self, position: usize) -> &Balancer {
        &self.by_path[position]
    }
}

/// Their addresses, the longest path first.
impl fmt::Display for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, upstream) in self.iter().enumerate() {
            let gap = if index > 0 { ", " } else { "" };
            write!(f, "{gap}{upstream}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::upstream;

    #[test]
    fn the_longest_path_wins() {
        let upstreams = Upstreams::new(vec![
            upstream("/v1", "http://general").expect("valid"),
            upstream("/v1/audio/", "http://audio").expect("valid"),
        ]);
        for (path, expected) in [
            ("/v1/models", "http://general"),
            ("/v1/audio/speech", "http://audio"),
            ("/v1/audiobooks", "http://general"),
        ] {
            let position = upstreams.position(path).expect(path);
            assert_eq!(
                upstreams.at(position).first().to_string(),
                expected,
                "{path}"
            );
        }
        assert_eq!(upstreams.position("/v2"), None);
    }
}
