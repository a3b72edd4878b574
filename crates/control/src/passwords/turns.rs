use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::oneshot, time::timeout};

/// How many wait at most, all together and from one site.
const MAX_WAITING: usize = 64;
const MAX_OF_SITE: usize = 16;
/// How long they wait at most: who waits longer is told to come again.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Gives out a few places at a time. Who finds none waits for a little, in the line of the site they come
/// from; the lines take turns, so that nobody waits for all of a stranger's connections.
pub(super) struct Turns(Arc<Mutex<Lines>>);

struct Lines {
    places: usize,
    free: usize,
    /// None of them is empty. The first has the next place.
    queue: VecDeque<Line>,
}

struct Line {
    /// The operator's commands come from none.
    site: Option<IpAddr>,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A place, which is given on when this is dropped.
pub(super) struct Turn(Weak<Mutex<Lines>>);

impl Turns {
    pub(super) fn new(places: usize) -> Self {
        let lines = Lines {
            places,
            free: places,
            queue: VecDeque::new(),
        };
        Self(Arc::new(Mutex::new(lines)))
    }

    /// A place, or nothing where too many wait or none comes free in time.
    pub(super) async fn next(&self, site: Option<IpAddr>) -> Option<Turn> {
        let waiting = {
            let mut lines = self.0.lock();
            if lines.free > 0 {
                lines.free -= 1;
                return Some(Turn(Arc::downgrade(&self.0)));
            }
            lines.join(site)?
        };
        timeout(MAX_WAIT, waiting).await.ok()?.ok()
    }
}

impl Lines {
    /// Stands in line. Where too many wait already, the last of the longest line has to leave it, if this one
    /// is shorter.
    fn join(&mut self, site: Option<IpAddr>) -> Option<oneshot::Receiver<Turn>> {
        for line in &mut self.queue {
            line.waiting.retain(|waiting| !waiting.is_closed());
        }
        self.queue.retain(|line| !line.waiting.is_empty());
        let own = self.queue.iter().position(|line| line.site == site);
        let length = own.map_or(0, |own| self.queue[own].waiting.len());
        if length >= MAX_OF_SITE {
            return None;
        }
        let all: usize = self.queue.iter().map(|line| line.waiting.len()).sum();
        if all >= MAX_WAITING {
            let longest = self
                .queue
                .iter_mut()
                .max_by_key(|line| line.waiting.len())?;
            if longest.waiting.len() <= length + 1 {
                return None;
            }
            longest.waiting.pop_back();
        }
        let (sender, receiver) = oneshot::channel();
        match own {
            Some(own) => self.queue[own].waiting.push_back(sender),
            None => self.queue.push_back(Line {
                site,
                waiting: [sender].into(),
            }),
        }
        Some(receiver)
    }

    /// Whose turn it is.
    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        let mut line = self.queue.pop_front()?;
        let next = line.waiting.pop_front();
        if !line.waiting.is_empty() {
            self.queue.push_back(line);
        }
        next
    }
}

impl Turn {
    /// Gives the place on. Whether nobody has one any more.
    pub(super) fn end(mut self) -> bool {
        self.give_on()
    }

    fn give_on(&mut self) -> bool {
        let Some(shared) = std::mem::take(&mut self.0).upgrade() else {
            return false;
        };
        loop {
            let next = {
                let mut lines = shared.lock();
                let Some(next) = lines.pop() else {
                    lines.free += 1;
                    return lines.free == lines.places;
                };
                next
            };
            match next.send(Self(Arc::downgrade(&shared))) {
                Ok(()) => return false,
                // Whoever that was has left. This place is given on here, not by its drop.
                Err(mut unwanted) => unwanted.0 = Weak::new(),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.give_on();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn site(number: u8) -> IpAddr {
        IpAddr::from([192, 0, number, 0])
    }

    /// Takes the one place, and asks for the next ones in this order.
    async fn asked(sites: &[IpAddr]) -> (Turns, Turn, Vec<oneshot::Receiver<Turn>>) {
        let turns = Turns::new(1);
        let first = turns.next(None).await.expect("a free place");
        let mut lines = turns.0.lock();
        let waiting = sites.iter().map(|site| lines.join(Some(*site)));
        let waiting = waiting.map(|waiting| waiting.expect("room")).collect();
        drop(lines);
        (turns, first, waiting)
    }

    /// Who gets the place next.
    fn served(waiting: &mut [oneshot::Receiver<Turn>]) -> Option<(usize, Turn)> {
        let mut waiting = waiting.iter_mut().enumerate();
        waiting.find_map(|(number, one)| Some((number, one.try_recv().ok()?)))
    }

    #[tokio::test]
    async fn sites_take_turns() {
        let sites = [site(1), site(1), site(1), site(2), site(3)];
        let (_turns, mut turn, mut waiting) = asked(&sites).await;
        let mut order = Vec::new();
        for _ in &sites {
            drop(turn);
            let (number, next) = served(&mut waiting).expect("somebody waits");
            order.push(number);
            turn = next;
        }
        assert_eq!(order, [0, 3, 4, 1, 2]);
    }

    #[tokio::test]
    async fn who_left_the_line_takes_no_place() {
        let (turns, turn, mut waiting) = asked(&[site(1), site(2), site(3)]).await;
        waiting.truncate(2);
        waiting.remove(0);
        drop(turn);
        let (_, turn) = served(&mut waiting).expect("the only one who waits");
        drop(turn);
        assert_eq!(turns.0.lock().free, 1);
        // A place that was given, but not taken any more.
        let (turns, turn, waiting) = asked(&[site(1)]).await;
        drop(turn);
        drop(waiting);
        assert_eq!(turns.0.lock().free, 1);
    }

    #[tokio::test]
    async fn lines_are_bounded_and_the_longest_gives_way() {
        let strangers =
            (0..MAX_WAITING).map(|number| site(u8::try_from(number % 4).expect("small")));
        let strangers: Vec<_> = strangers.collect();
        let (turns, _turn, mut waiting) = asked(&strangers).await;
        assert!(
            turns.next(Some(site(1))).await.is_none(),
            "its line is full"
        );
        let mut other = Box::pin(turns.next(Some(site(9))));
        assert!((&mut other).now_or_never().is_none(), "it waits");
        let gone = waiting.iter_mut().filter_map(|one| match one.try_recv() {
            Err(oneshot::error::TryRecvError::Closed) => Some(()),
            _ => None,
        });
        assert_eq!(gone.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long() {
        let turns = Turns::new(1);
        let _turn = turns.next(Some(site(1))).await.expect("a free place");
        assert!(turns.next(Some(site(2))).await.is_none());
    }
}
