use keygate_core::{Incident, IncidentId, Problem};
use keygate_storage::IncidentPage;

use super::{not_found, parse_id};
use crate::{Control, PAGE};

impl Control {
    /// Up to 100 incidents, newest first; `before` is the id that the last page ended with.
    pub async fn list_incidents(
        &self,
        before: Option<IncidentId>,
    ) -> Result<Vec<Incident>, Problem> {
        let page = IncidentPage {
            before,
            limit: PAGE,
        };
        Ok(self.store.list_incidents(page).await?)
    }

    /// The incident with this id.
    pub async fn get_incident(&self, id: &str) -> Result<Incident, Problem> {
        let id = parse_id(id)?;
        let found = self.store.lookup_incident(id).await?;
        found.ok_or_else(not_found)
    }
}
