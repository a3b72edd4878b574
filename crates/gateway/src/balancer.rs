//! Which of the upstreams of a path has a request.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use keygate_core::{Code, Problem};

use crate::{Upstream, load::UnderWay};

/// The upstreams of a path. A request goes to one of those that work and have the fewest requests under way.
pub(crate) struct Balancer {
    upstreams: Vec<Arc<Upstream>>,
    /// Where the search begins, so that upstreams with as few have their turn.
    next: AtomicUsize,
}

impl Balancer {
    /// Shares requests among these, which are all of one path, and one at least.
    pub(crate) fn new(upstreams: Vec<Arc<Upstream>>) -> Self {
        Self {
            upstreams,
            next: AtomicUsize::new(0),
        }
    }

    /// What all of them have in common is the same with the first.
    pub(crate) fn first(&self) -> &Arc<Upstream> {
        &self.upstreams[0]
    }

    pub(crate) fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    /// Whether all of them are asked over HTTP/1.1 and without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.upstreams.iter().all(|upstream| upstream.is_plain())
    }

    /// Chooses an upstream for a request.
    pub(crate) fn choose(&self) -> Turn<'_> {
        let mut turn = Turn {
            balancer: self,
            place: 0,
            failed: Vec::new(),
            under_way: None,
        };
        if self.upstreams.len() > 1 {
            turn.take(self.best(&[]).unwrap_or_default());
        }
        turn
    }

    /// The place of the best one, but for these.
    fn best(&self, but_for: &[usize]) -> Option<usize> {
        let count = self.upstreams.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed) % count;
        let places = (0..count).map(|step| (start + step) % count);
        let left = places.filter(|place| !but_for.contains(place));
        left.min_by_key(|place| {
            let load = &self.upstreams[*place].load;
            (load.is_avoided(), load.under_way())
        })
    }
}

/// The upstream that has a request, and those that could not have it.
pub(crate) struct Turn<'g> {
    balancer: &'g Balancer,
    place: usize,
    failed: Vec<usize>,
    /// Where there is a choice.
    under_way: Option<UnderWay>,
}

impl<'g> Turn<'g> {
    pub(crate) fn upstream(&self) -> &'g Arc<Upstream> {
        &self.balancer.upstreams[self.place]
    }

    /// Has another upstream take the request, of which nothing was sent to this one. `false` if all have failed.
    pub(crate) fn pass_on(&mut self) -> bool {
        self.upstream().load.note_failure();
        self.failed.push(self.place);
        let next = self.balancer.best(&self.failed);
        next.map(|place| self.take(place)).is_some()
    }

    /// Avoids the upstream for a while if it is to blame for a failure.
    pub(crate) fn note_failure(&self, problem: &Problem) {
        if matches!(
            problem.code,
            Code::UpstreamUnreachable | Code::UpstreamTimeout
        ) {
            self.upstream().load.note_failure();
        }
    }

    /// What counts the request as under way for as long as it is kept.
    pub(crate) fn take_under_way(&mut self) -> Option<UnderWay> {
        self.under_way.take()
    }

    fn take(&mut self, place: usize) {
        self.place = place;
        self.under_way = Some(self.upstream().load.begin());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::{load::AVOIDED, upstream::tests::upstream};

    fn balancer(count: usize) -> Balancer {
        let upstreams = (0..count).map(|index| upstream("/v1", &format!("http://host-{index}")));
        Balancer::new(
            upstreams
                .map(|made| Arc::new(made.expect("valid")))
                .collect(),
        )
    }

    fn unavailable() -> Problem {
        Problem::new(Code::UpstreamTimeout, "late")
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_shared_by_how_many_are_under_way() {
        let balancer = balancer(3);
        let mut turns: Vec<Turn<'_>> = (0..6).map(|_| balancer.choose()).collect();
        let mut places: Vec<usize> = turns.iter().map(|turn| turn.place).collect();
        places.sort_unstable();
        assert_eq!(places, [0, 0, 1, 1, 2, 2]);
        // What outlives the turn counts on.
        let mut turn = balancer.choose();
        let (kept, place) = (turn.take_under_way(), turn.place);
        drop(turn);
        assert_ne!(balancer.choose().place, place);
        drop(kept);
        let over = turns.pop().expect("one").place;
        assert_eq!(balancer.choose().place, over);
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_is_avoided_for_a_while_if_there_are_others() {
        let balancer = balancer(2);
        balancer.upstreams[0].load.note_failure();
        for _ in 0..4 {
            assert_eq!(balancer.choose().place, 1);
        }
        advance(AVOIDED).await;
        let places: Vec<usize> = (0..4).map(|_| balancer.choose().place).collect();
        assert!(places.contains(&0), "{places:?}");
        balancer.choose().note_failure(&unavailable());
        balancer.choose().note_failure(&unavailable());
        let places: Vec<usize> = (0..4).map(|_| balancer.choose().place).collect();
        assert!(places.contains(&0) && places.contains(&1), "{places:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_well_is_avoided_until_it_is() {
        let balancer = balancer(2);
        balancer.upstreams[1].load.note_health(false);
        advance(AVOIDED * 2).await;
        assert!((0..4).all(|_| balancer.choose().place == 0));
        balancer.upstreams[1].load.note_health(true);
        assert!((0..4).any(|_| balancer.choose().place == 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_passed_on_once_to_each() {
        let balancer = balancer(3);
        let mut turn = balancer.choose();
        let mut places = vec![turn.place];
        while turn.pass_on() {
            places.push(turn.place);
        }
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2]);
        let under_way = |upstream: &Arc<Upstream>| upstream.load.under_way();
        assert_eq!(balancer.upstreams.iter().map(under_way).sum::<usize>(), 1);
        drop(turn);
        assert_eq!(balancer.upstreams.iter().map(under_way).sum::<usize>(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_one_has_all() {
        let balancer = balancer(1);
        let mut turn = balancer.choose();
        assert!(turn.take_under_way().is_none());
        assert!(!turn.pass_on());
        assert_eq!(balancer.choose().place, 0);
    }
}
