/// A statement, in the words of each engine. Parameters are `$1`, `$2`, …
#[derive(Debug)]
pub struct Statement {
    /// For SQLite, whose parameters are `?1`, `?2`, …
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

/// The text with its parameters as SQLite numbers them: one that begins with `$` is a name there, and names are
/// numbered in the order in which they come.
pub const fn numbered<const LENGTH: usize>(sql: &str) -> [u8; LENGTH] {
    let mut numbered = [0; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        let byte = sql.as_bytes()[at];
        numbered[at] = if byte == b'$' { b'?' } else { byte };
        at += 1;
    }
    numbered
}

/// Bytes that are text.
///
/// # Panics
///
/// Where they are not.
pub const fn text(bytes: &[u8]) -> &str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a statement is text"),
    }
}

/// A statement that each engine has in words of its own.
macro_rules! each {
    ($sqlite:expr, $postgres:expr $(,)?) => {{
        const SQL: &str = $sqlite;
        const NUMBERED: [u8; SQL.len()] = $crate::numbered(SQL);
        $crate::Statement {
            sqlite: $crate::text(&NUMBERED),
            postgres: $postgres,
        }
    }};
}

/// A statement that both engines understand.
macro_rules! both {
    ($sql:expr $(,)?) => {
        $crate::statement::each!($sql, $sql)
    };
}

/// A statement whose rows PostgreSQL locks: SQLite has one writer, and nobody to lock them from.
macro_rules! locked {
    ($sql:expr, $how:literal $(,)?) => {
        $crate::statement::each!($sql, concat!($sql, " ", $how))
    };
}

/// What only SQLite is asked.
macro_rules! sqlite {
    ($sql:expr $(,)?) => {
        $crate::statement::each!($sql, "SELECT 1")
    };
}

/// What only PostgreSQL is asked.
macro_rules! postgres {
    ($sql:expr $(,)?) => {
        $crate::statement::each!("SELECT 1", $sql)
    };
}

/// Statements, each under a name, and all of them for the tests that have engines prepare them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $statement:expr;)*) => {
        $($(#[$doc])* static $name: $crate::Statement = $statement;)*

        pub(crate) static STATEMENTS: &[&$crate::Statement] = &[$(&$name),*];
    };
}

pub(crate) use {both, each, locked, postgres, sqlite, statements};

#[cfg(test)]
mod tests {
    #[test]
    fn each_engine_has_parameters_of_its_own() {
        let statement = both!("SELECT $2, $1");
        assert_eq!(statement.sqlite, "SELECT ?2, ?1");
        assert_eq!(statement.postgres, "SELECT $2, $1");
    }
}
