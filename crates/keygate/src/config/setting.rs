//! What is declared of a setting, what follows from it, and what is given for it.

use crate::failure::Failure;

/// A setting as it is declared, beside the field that has its value.
pub(crate) struct Setting {
    /// Its table and its name, like `server.listen`.
    pub(crate) name: &'static str,
    /// The heading of its table, like `[server]`, or `[[upstream]]` where there may be several.
    pub(crate) heading: &'static str,
    /// What it does: the documentation of its field.
    pub(crate) help: &'static str,
    /// How its value is written.
    pub(crate) kind: Kind,
    /// A value that somebody could want.
    pub(crate) example: &'static str,
    /// The value where none is given.
    pub(crate) default: Option<&'static str>,
    /// What holds where none is given, in words, if no value says that.
    pub(crate) unset: Option<&'static str>,
    /// The flag and what is given with it, like `--listen ADDRESS`.
    pub(crate) flag: Option<&'static str>,
}

/// How a value is written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    /// A file, from the folder of the configuration file.
    File,
    /// Such a file with a secret.
    SecretFile,
    Integer,
    Number,
    Texts,
    /// A text, or several.
    OneOrMore,
}

/// What is given for a setting, and where.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// Its name.
    pub(crate) setting: &'static str,
    /// Which of several tables of the file it is in.
    pub(crate) row: Option<usize>,
    pub(crate) place: Place,
    /// The value; of a list in the file, its values.
    pub(crate) texts: Vec<String>,
}

/// Where a setting is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File,
    Flag,
    Variable(String),
}

impl Given {
    /// By a flag or a variable.
    pub(crate) fn once(setting: &'static str, place: Place, text: impl Into<String>) -> Self {
        Self {
            setting,
            row: None,
            place,
            texts: vec![text.into()],
        }
    }
}

impl Setting {
    /// The start of each declaration.
    pub(super) const UNDECLARED: Self = Self {
        name: "",
        heading: "",
        help: "",
        kind: Kind::Text,
        example: "",
        default: None,
        unset: None,
        flag: None,
    };

    /// The two parts of its name.
    pub(super) fn table_and_name(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// Whether there may be several of its table.
    pub(super) fn is_of_list(&self) -> bool {
        self.heading.starts_with("[[")
    }

    /// Its flag, without what is given with it.
    pub(crate) fn flag_name(&self) -> Option<&'static str> {
        self.flag?.split(' ').next()
    }

    /// The variables that give it, first the one that counts first: that of the flag, and that of the
    /// setting, which those of several tables do not have.
    pub(crate) fn variables(&self) -> Vec<String> {
        let of_flag = self.flag_name().map(|flag| flag.trim_start_matches('-'));
        let of_setting = (!self.is_of_list()).then_some(self.name);
        let names = of_flag.into_iter().chain(of_setting);
        let mut variables: Vec<_> = names
            .map(|name| format!("KEYGATE_{}", name.replace(['.', '-'], "_").to_uppercase()))
            .collect();
        variables.dedup();
        variables
    }

    /// How a line of the file gives it this value.
    pub(super) fn line(&self, value: &str) -> String {
        let value = match self.kind {
            Kind::Text | Kind::File | Kind::SecretFile | Kind::OneOrMore => format!("{value:?}"),
            Kind::Texts => format!("{:?}", value.split(',').collect::<Vec<_>>()),
            Kind::Boolean | Kind::Integer | Kind::Number => value.to_owned(),
        };
        format!("{} = {value}", self.table_and_name().1)
    }

    /// It is needed and not given.
    pub(super) fn missing(&self) -> Failure {
        let (_, name) = self.table_and_name();
        let heading = self.heading;
        let example = self.line(self.example);
        Failure::new(format!(
            "{name} is missing in {heading}. Write it like {example}."
        ))
    }
}

/// How alike two words must be, from 0 to 1, for one to be a misspelling of the other.
const ALIKE: f64 = 0.75;

/// Names the known word that is most like `word`, or all of them if none is.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    let likeness = |candidate: &str| {
        // "listen" is meant for "server.listen", however short it is.
        let own = candidate.rsplit('.').next().unwrap_or(candidate);
        strsim::jaro_winkler(word, candidate).max(strsim::jaro_winkler(word, own))
    };
    // Of several that are as near, the first.
    let ranked = known.iter().rev().map(|known| (likeness(known), known));
    match ranked.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((likeness, nearest)) if likeness >= ALIKE => format!("Did you mean \"{nearest}\"?"),
        _ => format!("Known names: {}.", known.join(", ")),
    }
}
