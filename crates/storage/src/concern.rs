use std::{collections::BTreeMap, fmt, sync::Arc};

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

/// Something that an operator has to know, though the program goes on working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// Names its kind for programs, like `clock_skew`. It never changes.
    pub code: &'static str,
    /// What happened, what it means, and what to do. Anybody may read it: no secrets, no addresses.
    pub message: String,
    /// Whether something may already be lost or wrong, rather than that it could come to be.
    pub is_error: bool,
}

impl Concern {
    /// A concern about what could go wrong.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            is_error: false,
        }
    }

    /// A concern about what has gone wrong.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            is_error: true,
            ..Self::warning(code, message)
        }
    }
}

/// The concerns there are now, at most one of each code.
#[derive(Default)]
pub struct Concerns(Mutex<BTreeMap<&'static str, Concern>>);

impl Concerns {
    /// Notes a concern until it is lowered, and logs it if there was none of its code. What has gone
    /// wrong is logged each time that it has another message: it went wrong again.
    pub fn raise(&self, concern: Concern) {
        let mut raised = self.0.lock();
        let (code, message, is_error) = (concern.code, concern.message.clone(), concern.is_error);
        let before = raised.insert(code, concern);
        drop(raised);
        let is_new = before.is_none();
        if is_error && before.is_none_or(|before| before.message != message) {
            tracing::error!(code, "{message}");
        } else if is_new {
            tracing::warn!(code, "{message}");
        }
    }

    /// Ends the concern of this code, and logs that, if there was one.
    pub fn lower(&self, code: &'static str) {
        let lowered = self.0.lock().remove(code);
        if lowered.is_some() {
            tracing::info!(code, "this is no longer a concern");
        }
    }

    /// All of them, by their codes.
    pub fn list(&self) -> Vec<Concern> {
        self.0.lock().values().cloned().collect()
    }

    /// From now on says which there are to whoever reads `registry`.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(ConcernMetric(self.clone())));
    }
}

struct ConcernMetric(Arc<Concerns>);

impl fmt::Debug for ConcernMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConcernMetric")
    }
}

impl Collector for ConcernMetric {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let concerns = self.0.list();
        // A family without members is left out, as its name alone says nothing.
        if concerns.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(
            "storage_concern",
            "What an operator has to know of the database; 1 while it is so.",
            None,
            MetricType::Gauge,
        )?;
        for concern in concerns {
            let labels = [("code", concern.code)];
            ConstGauge::new(1_u64).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn shown(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).expect("memory is there");
        text
    }

    #[test]
    fn a_concern_is_listed_and_measured_from_its_raising_to_its_lowering() {
        let concerns = Arc::<Concerns>::default();
        let mut registry = Registry::default();
        concerns.register(&mut registry);
        assert!(!shown(&registry).contains("storage_concern"));

        concerns.raise(Concern::warning("clock_skew", "2 s apart"));
        concerns.raise(Concern::error("history_lost", "from revision 7"));
        concerns.raise(Concern::warning("clock_skew", "3 s apart"));
        let listed = concerns.list();
        let messages: Vec<&str> = listed.iter().map(|concern| &*concern.message).collect();
        assert_eq!(messages, ["3 s apart", "from revision 7"]);
        let text = shown(&registry);
        for code in ["clock_skew", "history_lost"] {
            let line = format!("storage_concern{{code=\"{code}\"}} 1\n");
            assert!(text.contains(&line), "{text}");
        }

        concerns.lower("clock_skew");
        concerns.lower("clock_skew");
        assert_eq!(concerns.list().len(), 1);
        assert!(!shown(&registry).contains("clock_skew"));
    }
}
