use std::collections::BTreeSet;

use keygate_storage::StorageError;
use parking_lot::Mutex;

/// What was already said of rows that cannot be read.
static SAID: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Passes over a row that this program cannot read, as one may be that a later version wrote, and says so
/// once: it must not hide all the others.
pub(crate) fn readable<T>(row: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
    match row {
        Ok(row) => Ok(Some(row)),
        Err(StorageError::Corrupt(what)) => {
            if SAID.lock().insert(what) {
                tracing::warn!(
                    "rows that hold an invalid {what} are not shown; a later version may have written them"
                );
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
