//! What of a server an operator has to know: whether it can lose what it acknowledges, and whether its
//! clock and a node's agree.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use keygate_core::{Clock, Timestamp};
use keygate_storage::{Concern, Concerns, StorageError};
use keygate_storage_sql::Columns;
use sqlx::{PgConnection, query};
use tokio::time;

use crate::{database::Database, query::optional, statements::statements};

statements! {
    /// Of standbys, anybody may see that they are there. Who subscribes to changes or takes a backup is
    /// none.
    LOOK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, \
        current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS is_durable, \
        current_setting('synchronous_commit') = 'local' AS commits_locally, \
        current_setting('synchronous_standby_names') <> '' AS is_synchronous, \
        EXISTS (SELECT 1 FROM pg_stat_replication \
            WHERE state IS DISTINCT FROM 'backup' AND pid NOT IN ( \
                SELECT active_pid FROM pg_replication_slots \
                WHERE slot_type = 'logical' AND active_pid IS NOT NULL)) \
        OR EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary) \
        AS has_standbys";
}

/// How often a server is looked at.
const EVERY: Duration = Duration::from_secs(15);
/// How far apart the clocks of a node and its database may be.
const MAX_SKEW: Duration = Duration::from_secs(1);

const MAY_BE_LOST: &str = "revocations_may_be_lost";
const CLOCK_SKEW: &str = "clock_skew";

/// Why a server can lose what it has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossRisk {
    /// How it is set up.
    pub why: &'static str,
    /// How it had better be.
    pub advice: &'static str,
}

const NOT_DURABLE: LossRisk = LossRisk {
    why: "fsync or full_page_writes is off, so a loss of power loses what was acknowledged.",
    advice: "Set both to on in postgresql.conf.",
};
const COMMITS_LOCALLY: LossRisk = LossRisk {
    why: "synchronous_commit is local, so no standby is waited for, and a fail-over to one loses what it has not received.",
    advice: "Set synchronous_commit to on for keygate's role.",
};
const ASYNCHRONOUS: LossRisk = LossRisk {
    why: "there are asynchronous standbys only, and a fail-over to one loses what it has not received.",
    advice: "Name those that may take over in synchronous_standby_names.",
};

/// What a server said of itself.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub(crate) struct Look {
    pub(crate) now: Timestamp,
    is_durable: bool,
    commits_locally: bool,
    is_synchronous: bool,
    has_standbys: bool,
}

impl Look {
    pub(crate) fn risks(&self) -> Vec<LossRisk> {
        let risks = [
            (!self.is_durable, NOT_DURABLE),
            (self.commits_locally, COMMITS_LOCALLY),
            (self.has_standbys && !self.is_synchronous, ASYNCHRONOUS),
        ];
        let there = risks.into_iter().filter(|(is_there, _)| *is_there);
        there.map(|(_, risk)| risk).collect()
    }
}

pub(crate) async fn look(db: &mut PgConnection) -> Result<Look, StorageError> {
    let look = optional(db, query(LOOK), |row| {
        Ok(Look {
            now: row.timestamp("now")?,
            is_durable: row.flag("is_durable")?,
            commits_locally: row.flag("commits_locally")?,
            is_synchronous: row.flag("is_synchronous")?,
            has_standbys: row.flag("has_standbys")?,
        })
    });
    look.await?.ok_or(StorageError::Corrupt("server"))
}

/// Looks at a server again and again, and says what there is to say.
pub(crate) struct Watch {
    database: Database,
    clock: Arc<dyn Clock>,
    concerns: Arc<Concerns>,
    /// A standby that has been seen may come back, and take over.
    has_standbys: bool,
}

impl Watch {
    pub(crate) fn new(database: Database, clock: Arc<dyn Clock>, concerns: Arc<Concerns>) -> Self {
        Self {
            database,
            clock,
            concerns,
            has_standbys: false,
        }
    }

    /// Without end. What fails is tried the next time: others say that the database is away.
    pub(crate) async fn run(mut self) {
        loop {
            time::sleep(EVERY).await;
            if let Err(error) = self.look_once().await {
                tracing::debug!(%error, "the database server was not looked at");
            }
        }
    }

    pub(crate) async fn look_once(&mut self) -> Result<(), StorageError> {
        let began = self.clock.monotonic();
        let mut seen = self.database.read(|db| look(db).boxed()).await?;
        let took = self.clock.monotonic().saturating_sub(began);
        self.has_standbys |= seen.has_standbys;
        seen.has_standbys = self.has_standbys;
        self.note_risks(&seen.risks());
        self.note_skew(skew(self.clock.now(), seen.now, took).as_ref());
        Ok(())
    }

    fn note_risks(&self, risks: &[LossRisk]) {
        if risks.is_empty() {
            return self.concerns.lower(MAY_BE_LOST);
        }
        let risks = risks
            .iter()
            .map(|risk| format!("{} {}", risk.why, risk.advice));
        let risks: Vec<String> = risks.collect();
        self.concerns.raise(Concern::warning(
            MAY_BE_LOST,
            format!(
                "An acknowledged revocation can be lost, and its key be let in again: {}",
                risks.join(" And ")
            ),
        ));
    }

    fn note_skew(&self, skew: Option<&Skew>) {
        let Some(Skew { is_ahead, by }) = skew else {
            return self.concerns.lower(CLOCK_SKEW);
        };
        let direction = if *is_ahead { "ahead of" } else { "behind" };
        self.concerns.raise(Concern::warning(
            CLOCK_SKEW,
            format!(
                "This node's clock is {:.1} s {direction} the database's. Each node lets keys, sessions and links \
                 expire by its own clock, so what is over for one goes on for another; the limit on active \
                 keys goes by the database's. Have both set by NTP.",
                by.as_secs_f64()
            ),
        ));
    }
}

/// By how much a node's clock differs from its database's.
#[derive(Debug, PartialEq, Eq)]
struct Skew {
    is_ahead: bool,
    by: Duration,
}

/// The skew, if it is more than may be: what was read of the server's clock took so long to come, and
/// was read at any time meanwhile.
fn skew(ours: Timestamp, theirs: Timestamp, took: Duration) -> Option<Skew> {
    let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    let difference = ours.as_millis() - theirs.as_millis();
    // Ours was taken last, so it may be ahead by all that time.
    let unexplained = if difference > took {
        difference - took
    } else {
        difference.min(0)
    };
    let by = Duration::from_millis(unexplained.unsigned_abs());
    (by > MAX_SKEW).then_some(Skew {
        is_ahead: unexplained > 0,
        by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_second_that_the_way_does_not_explain_is_a_skew() {
        let at = |millis: i64| Timestamp::from_millis(1_781_078_400_000 + millis);
        for (ours, took, expected) in [
            (0, 0, None),
            (1_000, 0, None),
            (-1_000, 0, None),
            (1_001, 0, Some((true, 1_001))),
            (-1_001, 0, Some((false, 1_001))),
            (1_800, 900, None),
            (2_000, 900, Some((true, 1_100))),
            (-1_001, 900, Some((false, 1_001))),
            (7_200_000, 5, Some((true, 7_199_995))),
        ] {
            let expected = expected.map(|(is_ahead, by)| Skew {
                is_ahead,
                by: Duration::from_millis(by),
            });
            let found = skew(at(ours), at(0), Duration::from_millis(took));
            assert_eq!(found, expected, "{ours} ms after {took} ms");
        }
    }

    #[test]
    fn what_can_be_lost_is_said_by_how_the_server_is_set_up() {
        let safe = Look {
            now: Timestamp::from_millis(0),
            is_durable: true,
            commits_locally: false,
            is_synchronous: false,
            has_standbys: false,
        };
        let standbys = Look {
            has_standbys: true,
            ..safe
        };
        let synchronous = Look {
            is_synchronous: true,
            ..standbys
        };
        let locally = Look {
            commits_locally: true,
            ..synchronous
        };
        let volatile = Look {
            is_durable: false,
            ..standbys
        };
        for (look, expected) in [
            (safe, vec![]),
            (standbys, vec![ASYNCHRONOUS]),
            (synchronous, vec![]),
            (locally, vec![COMMITS_LOCALLY]),
            (volatile, vec![NOT_DURABLE, ASYNCHRONOUS]),
        ] {
            assert_eq!(look.risks(), expected, "{look:?}");
        }
    }
}
