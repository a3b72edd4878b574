use http::Method;
use serde_json::{Value, json};

use super::{
    super::event::Operation,
    super::world::{Ask, Incident, recent},
    Client,
};

const STATES: [&str; 4] = ["investigating", "identified", "monitoring", "resolved"];
const STATES_OF_MAINTENANCE: [&str; 3] = ["scheduled", "scheduled", "completed"];

impl Client {
    /// Posts an incident, or announces maintenance.
    pub(super) async fn post(&mut self) {
        let Some(cookie) = self.admins_cookie(None) else {
            return;
        };
        let is_maintenance = self.dice.roll(2) == 0;
        let message = format!("message {}", self.world.number());
        let mut body = json!({"title": "Something", "message": message});
        let path = if is_maintenance {
            body["starts_at"] = json!("2100-01-01T00:00:00Z");
            body["ends_at"] = json!("2100-01-02T00:00:00Z");
            "/api/admin/maintenance"
        } else {
            "/api/admin/incidents"
        };
        let reply = self.world.ask(Ask {
            node: self.world.node(&mut self.dice),
            by: Some(&cookie),
            method: Method::POST,
            path: path.into(),
            body: Some(body),
        });
        let reply = reply.await;
        let (incident, by) = (reply.text("id"), cookie.of.email.clone());
        if reply.is_done() {
            let id = incident.clone();
            self.world
                .at_hand()
                .incidents
                .push(Incident { id, is_maintenance });
        }
        let what = Operation::Post {
            incident,
            message,
            by,
        };
        self.world.note(&reply, what);
    }

    fn incident(&mut self) -> Option<Incident> {
        let incidents = self.world.at_hand().incidents.clone();
        recent(&incidents, &mut self.dice, 5)
    }

    pub(super) async fn say(&mut self) {
        let (Some(incident), Some(cookie)) = (self.incident(), self.admins_cookie(None)) else {
            return;
        };
        let states = if incident.is_maintenance {
            &STATES_OF_MAINTENANCE[..]
        } else {
            &STATES
        };
        let state = states[self.dice.pick(states.len())];
        let message = format!("message {}", self.world.number());
        let reply = self.world.ask(Ask {
            node: self.world.node(&mut self.dice),
            by: Some(&cookie),
            method: Method::POST,
            path: format!("/api/admin/incidents/{}/updates", incident.id),
            body: Some(json!({"message": message, "state": state})),
        });
        let reply = reply.await;
        let what = Operation::Say {
            incident: incident.id,
            message,
            state,
            by: cookie.of.email.clone(),
        };
        self.world.note(&reply, what);
    }

    pub(super) async fn read(&mut self) {
        let (Some(incident), Some(cookie)) = (self.incident(), self.admins_cookie(None)) else {
            return;
        };
        let reply = self.world.ask(Ask {
            node: self.world.node(&mut self.dice),
            by: Some(&cookie),
            method: Method::GET,
            path: format!("/api/admin/incidents/{}", incident.id),
            body: None,
        });
        let reply = reply.await;
        let updates = reply.body["updates"].as_array().cloned();
        let message = |update: Value| update["message"].as_str().unwrap_or_default().to_owned();
        let what = Operation::Read {
            incident: incident.id,
            messages: updates.into_iter().flatten().map(message).collect(),
        };
        self.world.note(&reply, what);
    }
}
