//! However many secrets are drawn, no two are alike.

use keygate_core::{OsRandom, Token, key::KeyFormat};

/// `SECRETS=10000000` for the long run.
const SECRETS: usize = 1_000_000;

/// Sixteen characters, of which as many can be kept as are wanted here. Two that are random throughout are
/// as good as never alike in these already.
fn beginning(secret: &str) -> u128 {
    let (beginning, _) = secret.as_bytes().split_first_chunk().expect("longer");
    u128::from_be_bytes(*beginning)
}

/// Half of them keys, half tokens of sessions and links.
#[test]
fn no_two_secrets_are_alike() {
    let count = std::env::var("SECRETS").map(|count| count.parse().expect("a number"));
    let count: usize = count.unwrap_or(SECRETS);
    let (format, prefix) = (KeyFormat::default(), KeyFormat::default().prefix().len());
    let mut drawn = Vec::with_capacity(count);
    for _ in 0..count / 2 {
        let key = format.generate(&OsRandom);
        drawn.push(beginning(&key.expose()[prefix..]));
        drawn.push(beginning(Token::generate(&OsRandom).expose()));
    }
    drawn.sort_unstable();
    let alike = drawn.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(alike, 0, "of {}", drawn.len());
}
