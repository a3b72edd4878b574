//! What every SQL database is asked, once: the statements and transactions of each kind of thing that is
//! kept, over the little that an engine offers.
//!
//! An [`Engine`] runs them: PostgreSQL's over the network, SQLite's on a thread, where they never wait.

mod accounts;
mod audit;
mod columns;
mod engine;
mod incidents;
mod keys;
mod links;
mod owners;
mod prune;
mod readable;
mod sessions;
mod statement;
mod status;
mod tx;
mod undone;
mod unfinished_copy;
mod usage;
mod value;

pub use audit::record;
pub use columns::Columns;
pub use engine::{Engine, SqlStore};
pub use keys::{bindings, lookup_credential};
pub use statement::{Statement, numbered, text};
pub use tx::{Dialect, Read, RowReader, Tx, all, exists, optional};
pub use undone::Ending;
pub use unfinished_copy::{mark_unfinished_copy, refuse_unfinished_copy};
pub use value::{Value, signed};

/// All statements that there are, for the tests that have each engine prepare them.
pub fn statements() -> Vec<&'static Statement> {
    [
        accounts::STATEMENTS,
        audit::STATEMENTS,
        incidents::STATEMENTS,
        keys::STATEMENTS,
        links::STATEMENTS,
        owners::STATEMENTS,
        prune::STATEMENTS,
        sessions::STATEMENTS,
        status::STATEMENTS,
        unfinished_copy::STATEMENTS,
        usage::STATEMENTS,
    ]
    .concat()
}
