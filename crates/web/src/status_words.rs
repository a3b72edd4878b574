//! The status of the service, in a sentence.

use keygate_control::{Health, Status};

/// The headline of the status page.
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
        Health::Outage if is_all => "All systems are down.".into(),
        Health::Unknown if is_all => "The status of the service is unknown.".into(),
        Health::Maintenance if is_all || names.is_empty() => "Maintenance is in progress.".into(),
        Health::Degraded if is_all || names.is_empty() => "The service has problems.".into(),
        Health::Outage => format!("{} {} down.", enumerated(&names), are(&names)),
        Health::Unknown => format!("The status of {} is unknown.", enumerated(&names)),
        Health::Maintenance => format!("{} {} under maintenance.", enumerated(&names), are(&names)),
        Health::Degraded => format!("{} {} problems.", enumerated(&names), have(&names)),
    }
}

fn are(names: &[&str]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
}

fn have(names: &[&str]) -> &'static str {
    if names.len() == 1 { "has" } else { "have" }
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
