use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::{
    AccountId, Timestamp,
    serde_text::{as_text, words},
    unicode::is_invisible,
};

/// The owner of keys, who signs in to the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its e-mail address, in canonical form.
    pub email: EmailAddress,
    /// What its owner may do.
    pub role: Role,
    /// When it was suspended, so that it cannot sign in and its keys are not accepted; `None` if it is not.
    pub suspended_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An account with how many keys it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The account.
    pub account: Account,
    /// Its keys that are active.
    pub active_keys: u64,
    /// All its keys.
    pub keys: u64,
    /// When the link to reset its password expires, if there is one.
    pub reset_ends_at: Option<Timestamp>,
}

words! {
    /// What the owner of an account may do.
    #[derive(Default)]
    Role {
        /// Have keys.
        #[default]
        Member => "member",
        /// The same, and manage all accounts.
        Admin => "admin",
    }
}

/// An e-mail address in its canonical spelling, so that one mailbox has one account.
///
/// White space around it is cut, letters are folded to lower case and NFKC, and an international
/// domain is written in ASCII (IDNA, UTS 46).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address, like ada@example.com")]
pub struct InvalidEmail;

/// The longest address that SMTP carries (RFC 5321 section 4.5.3.1.3, less its brackets).
const MAX_BYTES: usize = 254;
/// What is longer before it is folded is not folded: the widest letters take four times their bytes.
const MAX_TYPED_BYTES: usize = 4 * MAX_BYTES;
/// RFC 5321 section 4.5.3.1.1.
const MAX_LOCAL_BYTES: usize = 64;

impl EmailAddress {
    /// Reads an address in any of its spellings.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        if text.len() > MAX_TYPED_BYTES {
            return Err(InvalidEmail);
        }
        let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
        let (local, domain) = folded.rsplit_once('@').ok_or(InvalidEmail)?;
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| InvalidEmail)?;
        let address = format!("{}@{domain}", local.nfkc());
        let valid = is_local_part(local) && !domain.is_empty() && address.len() <= MAX_BYTES;
        valid.then_some(Self(address)).ok_or(InvalidEmail)
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A dot-atom (RFC 5322 section 3.2.3) with the letters that RFC 6531 adds.
fn is_local_part(local: &str) -> bool {
    let allowed = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~.".contains(c)
            || (!c.is_ascii() && !is_hidden(c))
    };
    (1..=MAX_LOCAL_BYTES).contains(&local.len())
        && local.chars().all(allowed)
        && !local.split('.').any(str::is_empty)
}

fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(EmailAddress, EmailAddress::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_are_one_address() {
        for text in [
            "ada@example.com",
            " Ada@Example.COM\n",
            "ADA@EXAMPLE.COM",
            "ａｄａ@example.com",
        ] {
            let address = EmailAddress::parse(text).expect("an address");
            assert_eq!(address.as_str(), "ada@example.com", "{text}");
        }
        let international = EmailAddress::parse("ada@BÜCHER.example").expect("an address");
        assert_eq!(international.as_str(), "ada@xn--bcher-kva.example");
    }

    #[test]
    fn canonical_spelling_is_a_fixed_point() {
        for text in ["Ada+x@Example.com", "Ünï@bücher.example", "İ@example.com"] {
            let once = EmailAddress::parse(text).expect("an address");
            assert_eq!(
                EmailAddress::parse(once.as_str()),
                Ok(once.clone()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a da@example.com",
            "ada@exa mple.com",
            "ada..b@example.com",
            ".ada@example.com",
            "ada@example..com",
            "ada\0@example.com",
            "ada\u{202e}@example.com",
            "ada\u{2060}@example.com",
            "a\u{ad}da@example.com",
            "ada\u{3164}@example.com",
            "ada\u{e0001}@example.com",
            "<ada@example.com>",
            &long,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmail), "{text:?}");
        }
    }
}
