//! The suite of `keygate-storage`, on real files.

use std::sync::Arc;

use keygate_storage::Store;
use tempfile::TempDir;

#[expect(clippy::unused_async, reason = "the suite awaits it")]
async fn open() -> (Arc<dyn Store>, TempDir) {
    let folder = TempDir::new().expect("a temporary folder");
    let store = keygate_storage_sqlite::open(&folder.path().join("keygate.db"))
        .expect("a new database opens");
    (Arc::new(store), folder)
}

keygate_storage::conformance_tests!(crate::open);
