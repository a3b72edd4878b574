//! How the service does, in a sentence.

use keygate_control::{Health, Status};

/// What stands above everything else.
pub(crate) fn sentence(status: &Status) -> String {
    let concerned = |health| {
        let components = status.components.iter();
        components
            .filter(|one| one.health == health)
            .map(|one| one.component.name.as_str())
            .collect::<Vec<_>>()
    };
    let names = concerned(status.health);
    let is_all = names.len() == status.components.len();
    match status.health {
        Health::Operational if status.components.is_empty() => "No incident is open.".into(),
        Health::Operational => "All systems operational.".into(),
        Health::Outage if is_all => "Nothing works.".into(),
        Health::Unknown if is_all => "How the service does is not known.".into(),
        Health::Maintenance if is_all || names.is_empty() => "Maintenance is being done.".into(),
        Health::Degraded if is_all || names.is_empty() => "There is trouble.".into(),
        Health::Outage => format!("{} {} down.", enumerated(&names), are(&names)),
        Health::Unknown => format!("How {} {} is not known.", enumerated(&names), do_(&names)),
        Health::Maintenance => format!("{} {} in maintenance.", enumerated(&names), are(&names)),
        Health::Degraded => format!("There is trouble with {}.", enumerated(&names)),
    }
}

fn are(names: &[&str]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
}

fn do_(names: &[&str]) -> &'static str {
    if names.len() == 1 { "does" } else { "do" }
}

/// `A`, `A and B`, `A, B and C`
fn enumerated(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_enumerated() {
        assert_eq!(enumerated(&["A"]), "A");
        assert_eq!(enumerated(&["A", "B"]), "A and B");
        assert_eq!(enumerated(&["A", "B", "C"]), "A, B and C");
    }
}
