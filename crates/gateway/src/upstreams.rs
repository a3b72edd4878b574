use std::{cmp::Reverse, fmt, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::Semaphore, time::sleep};

use crate::{Models, Upstream, balancer::Balancer};

/// How often upstreams that share a path are asked whether they work.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// The upstreams by path; the longest path that covers a request wins.
pub struct Upstreams {
    by_path: Vec<OfPath>,
    /// For connections to all of them.
    places: Arc<Semaphore>,
}

impl Upstreams {
    /// Sorts the upstreams. Of those with the same path, those for the same models share their requests.
    pub fn new(mut upstreams: Vec<Upstream>) -> Self {
        let places = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        for upstream in &mut upstreams {
            upstream.connector.places = places.clone();
        }
        let upstreams: Vec<_> = upstreams.into_iter().map(Arc::new).collect();
        let by_path = grouped(upstreams, |one, other| {
            one.path().eq_ignore_ascii_case(other.path())
        });
        let mut by_path: Vec<_> = by_path.into_iter().map(OfPath::new).collect();
        by_path.sort_by_key(|of_path| Reverse(of_path.first().path_length()));
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
        by_path.position(|of_path| of_path.first().matches(path))
    }

    /// All of them, the longest path first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        let balancers = self.by_path.iter().flat_map(OfPath::by_model);
        balancers.flat_map(Balancer::upstreams)
    }

    /// Their paths, the longest first.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.by_path.iter().map(|of_path| of_path.first().path())
    }

    /// Asks those that share a path whether they work, every few seconds, for ever.
    pub fn check_health(&self) -> impl Future<Output = ()> + Send + use<> {
        let balancers = self.by_path.iter().flat_map(OfPath::by_model);
        let have_others = balancers.map(Balancer::upstreams);
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

    pub(crate) fn at(&self, position: usize) -> &OfPath {
        &self.by_path[position]
    }
}

/// The upstreams of a path.
pub(crate) struct OfPath {
    by_model: Vec<Balancer>,
}

impl OfPath {
    fn new(upstreams: Vec<Arc<Upstream>>) -> Self {
        let by_model = grouped(upstreams, |one, other| one.models() == other.models());
        Self {
            by_model: by_model.into_iter().map(Balancer::new).collect(),
        }
    }

    /// What all of them have in common is the same with the first.
    pub(crate) fn first(&self) -> &Arc<Upstream> {
        self.by_model[0].first()
    }

    /// Those that share requests, each for its models.
    pub(crate) fn by_model(&self) -> &[Balancer] {
        &self.by_model
    }

    /// Whether it depends on the model where a request goes.
    pub(crate) fn depends_on_model(&self) -> bool {
        self.by_model.len() > 1 || self.first().models().is_some()
    }

    /// Whether all of them are asked over HTTP/1.1 and without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.by_model.iter().all(Balancer::is_plain)
    }

    /// Those for a model: the first that name it, or else those for all. What names no model goes to those for all, or
    /// the first.
    pub(crate) fn place_for(&self, model: Option<&str>) -> Option<usize> {
        let models = || {
            self.by_model
                .iter()
                .map(|balancer| balancer.first().models())
        };
        let include =
            |models: Option<&Models>, model| models.is_some_and(|models| models.include(model));
        let named = model.and_then(|model| models().position(|models| include(models, model)));
        let for_all = || models().position(|models| models.is_none());
        let unnamed = || model.is_none().then_some(0);
        named.or_else(for_all).or_else(unnamed)
    }
}

/// Groups what belongs together, in the order in which each group's first comes.
fn grouped<T>(all: Vec<T>, belong: impl Fn(&T, &T) -> bool) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    for one in all {
        match groups.iter_mut().find(|group| belong(&group[0], &one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
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

    #[test]
    fn models_choose_among_the_upstreams_of_a_path() {
        let made = |name: &str, models: Option<&[&str]>| {
            let made = upstream("/v1", &format!("http://{name}")).expect("valid");
            let owned =
                |models: &[&str]| models.iter().map(ToString::to_string).collect::<Vec<_>>();
            match models {
                Some(models) => made.for_models(Models::like(&owned(models))),
                None => made,
            }
        };
        let llama = || made("llama", Some(&["llama*", "*/llama*"]));
        let mistral = || made("mistral", Some(&["mistral"]));
        let rest = || made("rest", None);
        for (upstreams, model, expected) in [
            (
                vec![llama(), mistral(), rest()],
                Some("llama-3"),
                Some("http://llama"),
            ),
            (
                vec![llama(), mistral(), rest()],
                Some("meta/llama-3"),
                Some("http://llama"),
            ),
            (
                vec![llama(), mistral(), rest()],
                Some("mistral"),
                Some("http://mistral"),
            ),
            (
                vec![llama(), mistral(), rest()],
                Some("mistral-7b"),
                Some("http://rest"),
            ),
            (vec![llama(), rest()], None, Some("http://rest")),
            (vec![llama(), mistral()], None, Some("http://llama")),
            (vec![llama(), mistral()], Some("gpt"), None),
            (vec![llama()], Some("gpt"), None),
        ] {
            let upstreams = Upstreams::new(upstreams);
            let of_path = upstreams.at(0);
            assert!(of_path.depends_on_model());
            let place = of_path.place_for(model);
            let found = place.map(|place| of_path.by_model()[place].first().to_string());
            assert_eq!(found.as_deref(), expected, "{model:?}");
        }
    }
}
