//! The README's commands, as they stand there.

#[test]
fn placeholder() {}
