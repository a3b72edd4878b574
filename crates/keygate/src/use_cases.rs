//! The use cases over a store, as the settings have them.

use std::sync::Arc;

use keygate_control::Control;
use keygate_core::{OsRandom, SystemClock};
use keygate_storage::{HasherBinding, PrefixBinding, Store};

use crate::{config::Settings, failure::Failure};

/// The use cases over a store.
pub(crate) fn control(settings: &Settings, store: Arc<dyn Store>) -> Arc<Control> {
    Arc::new(Control::new(
        store,
        Arc::new(SystemClock),
        Arc::new(OsRandom),
        settings.format.clone(),
        settings.hasher.clone(),
        settings.policy.clone(),
    ))
}

/// Binds a store to the way in which keys are made, or refuses one whose keys were made in another.
pub(crate) async fn bind_keys(control: &Control) -> Result<(), Failure> {
    refuse_other_keys(control.bind_hasher().await?, PrefixBinding::Bound)?;
    refuse_other_keys(HasherBinding::Bound, control.bind_prefix().await?)
}

/// Refuses keys that were hashed in another way, or begin differently: none of them would work.
pub(crate) fn refuse_other_keys(
    hasher: HasherBinding,
    prefix: PrefixBinding,
) -> Result<(), Failure> {
    if let HasherBinding::Mismatch(scheme) = hasher {
        return Err(Failure::new(format!(
            "The keys in the database were hashed in another way ({scheme}), so none of them would work. Set keys.pepper_file to what it was when they were issued."
        )));
    }
    if let PrefixBinding::Mismatch(prefix) = prefix {
        return Err(Failure::new(format!(
            "The keys in the database begin with {prefix}, so none of them would work. Set keys.prefix to {prefix}, which it was when they were issued."
        )));
    }
    Ok(())
}
