use std::{sync::Arc, time::Duration};

use keygate_core::{Credential, Scope, key::KeyHash};
use keygate_http::Headers;
use tokio::{sync::watch, time::sleep};

use super::Verifier;
use crate::{Refusal, credentials::presented_key};

/// How long it may take at most until a key is looked at again, and at least.
const DAY: Duration = Duration::from_hours(24);
const MOMENT: Duration = Duration::from_millis(1);

/// A key that was accepted for something that lasts, and is asked about again for as long as it does.
#[derive(Clone)]
pub struct HeldKey {
    verifier: Arc<Verifier>,
    hash: KeyHash,
    scope: Scope,
    changes: watch::Receiver<()>,
}

impl HeldKey {
    /// Whether the key may still do what it was accepted for. If so, it counts as used now.
    pub async fn confirm(&self) -> Result<Credential, Refusal> {
        self.verifier.decide_again(self.hash, self.scope).await
    }

    /// Whether the key may still do what it was accepted for, without it being used once more, unless it has to be looked
    /// up for that.
    pub async fn check(&self) -> Result<(), Refusal> {
        match self.verifier.judge_from_memory(&self.hash, self.scope) {
            Some((_, decided)) => decided.map(drop).map_err(Refusal::from),
            None => self.confirm().await.map(drop),
        }
    }

    /// Ends once the key may no longer do that: with every change to keys, when it expires, and by what its node
    /// knows of other nodes.
    pub async fn refused(&mut self) -> Refusal {
        loop {
            self.changes.mark_unchanged();
            let credential = match self.confirm().await {
                Ok(credential) => credential,
                Err(refusal) => return refusal,
            };
            tokio::select! {
                // The verifier, which sends it, is here.
                _ = self.changes.changed() => {}
                () = sleep(self.verifier.look_again_after(&credential)) => {}
            }
        }
    }
}

impl Verifier {
    /// The key of a request that was accepted for what needs `scope`.
    pub fn hold(
        self: &Arc<Self>,
        headers: &impl Headers,
        target: &str,
        scope: Scope,
    ) -> Result<HeldKey, Refusal> {
        let presented = presented_key(headers, target, &self.format)?;
        Ok(HeldKey {
            verifier: self.clone(),
            hash: self.hasher.hash(presented),
            scope,
            changes: self.changes.subscribe(),
        })
    }

    /// When a key may have to be refused though nobody says so.
    fn look_again_after(&self, credential: &Credential) -> Duration {
        let expiry = credential.expires_at.map(|at| {
            let left = at.as_millis() - self.clock.now().as_millis();
            Duration::from_millis(u64::try_from(left).unwrap_or(0))
        });
        let lease = self.lease().patience().map(|lease| lease / 4);
        let due = [expiry, lease].into_iter().flatten().min();
        due.unwrap_or(DAY).clamp(MOMENT, DAY)
    }
}
