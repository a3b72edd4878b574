use std::fmt;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Scope {
    /// Inference: chat, embeddings, images and the like.
    Chat = 1,
    /// GET and HEAD.
    Read = 2,
    /// Every other method and path.
    Write = 4,
    /// All of the above, and the routes that the operator marks `admin`.
    Admin = 8,
}

impl Scope {
    /// All scopes, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Read, Self::Write, Self::Admin];

    /// The scope's name in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The scope of this name; names are lower case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// The set kept as these bits; `None` where a bit stands for no scope.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 16 { Some(Self(bits)) } else { None }
    }

    /// One bit a scope: chat 1, read 2, write 4, admin 8.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether `scope` itself is in the set.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }

    /// Whether the set satisfies a requirement of `scope`: `admin` satisfies every one.
    pub const fn permits(self, scope: Scope) -> bool {
        self.contains(scope) || self.contains(Scope::Admin)
    }

    /// Whether no scope is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names with single spaces between, as RFC 6749 section 3.3 writes a scope list.
    pub const fn as_str(self) -> &'static str {
        const LISTS: [&str; 16] = [
            "",
            "chat",
            "read",
            "chat read",
            "write",
            "chat write",
            "read write",
            "chat read write",
            "admin",
            "chat admin",
            "read admin",
            "chat read admin",
            "write admin",
            "chat write admin",
            "read write admin",
            "chat read write admin",
        ];
        LISTS[self.0 as usize]
    }

    /// The scopes in the order chat, read, write, admin.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope as u8))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Scopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Scope::as_str))
    }
}

impl<'de> serde::Deserialize<'de> for Scopes {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let rule = "must be a non-empty array of \"chat\", \"read\", \"write\" and, where a key is changed, \"admin\"";
        let names = <Vec<String> as serde::Deserialize>::deserialize(reader).ok();
        let scopes: Option<Self> =
            names.and_then(|names| names.iter().map(|name| Scope::parse(name)).collect());
        let scopes = scopes.filter(|scopes| !scopes.is_empty());
        scopes.ok_or_else(|| serde::de::Error::custom(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_shown_in_the_contracts_order() {
        let scopes: Scopes = [Scope::Admin, Scope::Read, Scope::Chat, Scope::Read]
            .into_iter()
            .collect();
        assert_eq!(scopes.to_string(), "chat read admin");
        assert_eq!(
            serde_json::to_string(&scopes).expect("scopes serialise"),
            r#"["chat","read","admin"]"#
        );
    }

    #[test]
    fn admin_permits_everything_and_the_others_only_themselves() {
        for held in Scope::ALL {
            for asked in Scope::ALL {
                let scopes: Scopes = [held].into_iter().collect();
                assert_eq!(
                    scopes.permits(asked),
                    held == asked || held == Scope::Admin,
                    "{held} {asked}"
                );
            }
        }
    }
}
