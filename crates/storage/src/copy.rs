//! Making one database the same as another.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

use crate::{
    StorageError,
    tables::{RowKey, TABLES, Table, TableReader, TableRow, TableStore, Value},
};

/// How many rows are read and written at once.
const PAGE: u32 = 5_000;

/// How far a copy is.
#[derive(Debug, Clone, Copy)]
pub struct CopyProgress {
    /// Which table is compared.
    pub table: &'static str,
    /// How many of its rows were.
    pub done: u64,
    /// How many there are.
    pub of: u64,
}

/// What a copy has done to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has now, here and there.
    pub rows: u64,
    /// How many of them were missing or different.
    pub written: u64,
    /// How many were too many.
    pub deleted: u64,
    /// SHA-256 over all rows, here and there, in hexadecimal.
    pub checksum: String,
}

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The target holds what does not come from the source. Nothing was changed.
    #[error("the target holds accounts or audit entries that the source does not have")]
    OtherData,
    /// What was written does not read back as it is in the source.
    #[error("the table {0} differs after it was copied; the target was changed meanwhile")]
    Differs(&'static str),
    /// The source or the target failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Makes the target the same as the source: what is missing or different is written, what is too
/// much is deleted. Until all of it is there, the target is marked as unfinished. What an earlier copy has written is left as it is, so that one that was
/// interrupted goes on, and a second one takes as long as it takes to compare. At the end both sides
/// are read again, and their numbers of rows and checksums must agree.
///
/// All readings of `from` must see the same state of it: one that goes on changing would otherwise give
/// a mixture that it never was.
pub async fn copy(
    from: &dyn TableReader,
    to: &dyn TableStore,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<Vec<CopiedTable>, CopyError> {
    refuse_other_data(from, to).await?;
    to.mark_unfinished(true).await?;
    let mut differences = Vec::new();
    for table in TABLES {
        differences.push(write_missing(table, from, to, progress).await?);
    }
    // What refers to a row goes before it.
    for (table, found) in TABLES.iter().zip(&mut differences).rev() {
        for keys in found.surplus.chunks(PAGE as usize) {
            to.delete_rows(table, keys.to_vec()).await?;
        }
    }
    let mut copied = Vec::new();
    for (table, found) in TABLES.iter().zip(differences) {
        let (there, here) = (sum(table, from).await?, sum(table, to).await?);
        if there != here {
            return Err(CopyError::Differs(table.name));
        }
        copied.push(CopiedTable {
            table: table.name,
            rows: here.rows,
            written: found.written,
            deleted: found.surplus.len() as u64,
            checksum: here.checksum,
        });
    }
    to.mark_unfinished(false).await?;
    Ok(copied)
}

/// Accounts and audit entries are never deleted, and entries never change: a copy has none that its
/// source lacks, unless it has had a life of its own.
async fn refuse_other_data(from: &dyn TableReader, to: &dyn TableStore) -> Result<(), CopyError> {
    for table in TABLES {
        let is_same: fn(&TableRow, &TableRow) -> bool = match table.name {
            "accounts" => |here, there| here[0] == there[0],
            "audit_entries" => |here, there| here == there,
            _ => continue,
        };
        let (mut here, mut there) = (Rows::of(table, to), Rows::of(table, from));
        while let Some(row) = here.next().await? {
            let mut known = there.next().await?;
            while known
                .as_ref()
                .is_some_and(|known| known[..table.key] < row[..table.key])
            {
                known = there.next().await?;
            }
            if !known.is_some_and(|known| is_same(&row, &known)) {
                return Err(CopyError::OtherData);
            }
        }
    }
    Ok(())
}

/// How a table differed.
struct Differences {
    written: u64,
    /// The keys of rows that the source does not have.
    surplus: Vec<RowKey>,
}

/// Walks through both sides in the order of their keys.
async fn write_missing(
    table: &'static Table,
    from: &dyn TableReader,
    to: &dyn TableStore,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<Differences, StorageError> {
    let of = from.count_rows(table).await?;
    let (mut source, mut target) = (Rows::of(table, from), Rows::of(table, to));
    let (mut next_source, mut next_target) = (source.next().await?, target.next().await?);
    let mut differences = Differences {
        written: 0,
        surplus: Vec::new(),
    };
    let (mut missing, mut done) = (Vec::new(), 0);
    loop {
        let order = match (&next_source, &next_target) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one[..table.key].cmp(&other[..table.key]),
        };
        if order.is_gt() {
            let surplus = next_target.take().expect("it is there");
            differences.surplus.push(table.key_of(&surplus));
        } else {
            let row = next_source.take().expect("it is there");
            if order.is_lt() || next_target.as_ref() != Some(&row) {
                missing.push(row);
            }
            done += 1;
        }
        if missing.len() == PAGE as usize {
            differences.written += missing.len() as u64;
            to.write_rows(table, std::mem::take(&mut missing)).await?;
        }
        if done % u64::from(PAGE) == 0 {
            progress(CopyProgress {
                table: table.name,
                done,
                of,
            });
        }
        if order.is_le() {
            next_source = source.next().await?;
        }
        if order.is_ge() {
            next_target = target.next().await?;
        }
    }
    differences.written += missing.len() as u64;
    if !missing.is_empty() {
        to.write_rows(table, missing).await?;
    }
    progress(CopyProgress {
        table: table.name,
        done,
        of: done,
    });
    Ok(differences)
}

/// The rows of a table, page by page.
struct Rows<'a, R: ?Sized> {
    table: &'static Table,
    store: &'a R,
    page: std::vec::IntoIter<TableRow>,
    after: Option<RowKey>,
    is_over: bool,
}

impl<'a, R: TableReader + ?Sized> Rows<'a, R> {
    fn of(table: &'static Table, store: &'a R) -> Self {
        Self {
            table,
            store,
            page: Vec::new().into_iter(),
            after: None,
            is_over: false,
        }
    }

    async fn next(&mut self) -> Result<Option<TableRow>, StorageError> {
        if self.page.len() == 0 && !self.is_over {
            let page = self
                .store
                .read_rows(self.table, self.after.take(), PAGE)
                .await?;
            self.is_over = page.len() < PAGE as usize;
            self.after = page.last().map(|row| self.table.key_of(row));
            self.page = page.into_iter();
        }
        Ok(self.page.next())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Sum {
    rows: u64,
    checksum: String,
}

async fn sum<R: TableReader + ?Sized>(
    table: &'static Table,
    store: &R,
) -> Result<Sum, StorageError> {
    let mut rows = Rows::of(table, store);
    let (mut digest, mut count) = (Sha256::new(), 0);
    while let Some(row) = rows.next().await? {
        count += 1;
        for value in row {
            // Each with its kind and length, so that no two rows look the same.
            match value {
                Value::Null => digest.update(b"-"),
                Value::Number(number) => {
                    digest.update(b"n");
                    digest.update(number.to_be_bytes());
                }
                Value::Text(text) => update_sized(&mut digest, b"t", text.as_bytes()),
                Value::Bytes(bytes) => update_sized(&mut digest, b"b", &bytes),
            }
        }
    }
    Ok(Sum {
        rows: count,
        checksum: hexadecimal(&digest.finalize()),
    })
}

fn update_sized(digest: &mut Sha256, kind: &[u8], bytes: &[u8]) {
    digest.update(kind);
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter();
    digits.fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
