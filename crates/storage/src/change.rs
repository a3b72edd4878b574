use keygate_core::key::KeyHash;

/// Somebody who keeps what the database says of keys, and must drop it when it changes.
pub trait ChangeListener: Send + Sync {
    /// What was known of these keys is out of date. When this returns, nothing in this process
    /// decides by it any more.
    fn keys_changed(&self, keys: &[KeyHash]);
}
