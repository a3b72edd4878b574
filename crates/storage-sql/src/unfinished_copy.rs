//! The mark of a database into which a copy is being made. A copy that is broken off leaves it, and with it
//! a database that nobody may take for all of the source.

use keygate_storage::StorageError;

use crate::{
    Read, Tx, exists,
    statement::{both, statements},
};

statements! {
    MARK = both!("INSERT INTO unfinished_copy (singleton) VALUES (1) ON CONFLICT DO NOTHING");
    UNMARK = both!("DELETE FROM unfinished_copy");
    IS_MARKED = both!("SELECT 1 FROM unfinished_copy");
}

const IS_UNFINISHED: &str = "a copy into it was broken off before all was there, and some of its keys, or what ended them, may be missing: run keygate storage copy once more with the same --from and --to, which goes on where it was";

/// Marks a database as one that is not yet the same as another, or takes the mark away.
pub async fn mark_unfinished_copy(
    tx: &mut dyn Tx,
    is_unfinished: bool,
) -> Result<(), StorageError> {
    let statement = if is_unfinished { &MARK } else { &UNMARK };
    tx.execute(statement, &[]).await.map(|_| ())
}

/// Refuses a database that has the mark.
pub async fn refuse_unfinished_copy(db: &mut dyn Read) -> Result<(), StorageError> {
    if exists(db, &IS_MARKED, &[]).await? {
        return Err(StorageError::unsuitable(IS_UNFINISHED));
    }
    Ok(())
}
