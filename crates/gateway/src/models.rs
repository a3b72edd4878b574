use wildmatch::WildMatch;

/// The models that an upstream is for, by their names. `*` stands for any text, and `?` for one character.
#[derive(Debug, Clone, PartialEq)]
pub struct Models(Vec<WildMatch>);

impl Models {
    /// Those whose names are like one of these.
    pub fn like(names: &[String]) -> Self {
        Self(names.iter().map(|name| WildMatch::new(name)).collect())
    }

    pub(crate) fn include(&self, model: &str) -> bool {
        self.0.iter().any(|name| name.matches(model))
    }
}
