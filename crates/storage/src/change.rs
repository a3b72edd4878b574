use std::sync::Arc;

use keygate_core::key::KeyHash;
use parking_lot::RwLock;

/// Somebody who keeps what the database says of keys, and must drop it when it changes.
pub trait ChangeListener: Send + Sync {
    /// What was known of these keys is out of date. When this returns, nothing in this process
    /// decides by it any more.
    fn keys_changed(&self, keys: &[KeyHash]);

    /// What was known of any key may be out of date.
    fn everything_changed(&self);
}

/// All who listen to one store.
#[derive(Default)]
pub struct ChangeListeners(RwLock<Vec<Arc<dyn ChangeListener>>>);

impl ChangeListeners {
    /// From now on `listener` is told as well.
    pub fn subscribe(&self, listener: Arc<dyn ChangeListener>) {
        self.0.write().push(listener);
    }

    /// Tells all that these keys changed.
    pub fn keys_changed(&self, keys: &[KeyHash]) {
        if !keys.is_empty() {
            for listener in self.0.read().iter() {
                listener.keys_changed(keys);
            }
        }
    }

    /// Tells all that any key may have changed.
    pub fn everything_changed(&self) {
        for listener in self.0.read().iter() {
            listener.everything_changed();
        }
    }
}
