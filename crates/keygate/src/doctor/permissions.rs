use std::{fs::Metadata, os::unix::fs::MetadataExt};

/// What other users may do with what should be this one's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Openness {
    Private,
    Group,
    Everybody,
}

pub(super) fn openness(metadata: &Metadata) -> Openness {
    match metadata.mode() {
        mode if mode & 0o007 != 0 => Openness::Everybody,
        mode if mode & 0o070 != 0 => Openness::Group,
        _ => Openness::Private,
    }
}

/// Like `0755`.
pub(super) fn mode(metadata: &Metadata) -> String {
    format!("{:04o}", metadata.mode() & 0o7777)
}
