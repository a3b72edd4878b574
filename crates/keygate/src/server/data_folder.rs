use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, path::Path};

use crate::failure::Failure;

/// Makes the data folder, for this user alone, where there is none.
pub(crate) fn create_data_folder(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| {
        Failure::new(format!(
            "The data folder {} cannot be made ({error}). Choose another with --data.",
            path.display()
        ))
    })
}
