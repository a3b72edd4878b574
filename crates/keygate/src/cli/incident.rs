use clap::{Args, Subcommand};
use keygate_wire::Fields;

use super::{account::Format, input::standard_input};
use crate::{
    config::Settings,
    failure::Failure,
    operator::{self, Command},
};

/// The message, shown on the status page as plain text
#[derive(Args)]
struct Message {
    /// The message, in plain text; "-" reads it from standard input
    #[arg(long, value_name = "TEXT")]
    message: String,
}

#[derive(Subcommand)]
pub(super) enum Incident {
    /// List all incidents and maintenance, the newest first
    List(Format),
    /// Post an incident on the status page
    Post(Post),
    /// Announce maintenance on the status page
    Schedule(Schedule),
    /// Post an update of an incident, with its status
    Update(Update),
    /// Correct an incident's title, components or times
    Edit(Edit),
    /// Correct an update of an incident
    EditUpdate(EditUpdate),
}

/// What an incident and maintenance have in common.
#[derive(Args)]
struct Announcement {
    /// The title, in one line
    #[arg(long)]
    title: String,
    #[command(flatten)]
    message: Message,
    #[arg(
        long = "component",
        value_name = "ID",
        help = "An affected component, like data_plane or upstream:/v1; can be repeated [default: all]"
    )]
    components: Vec<String>,
}

#[derive(Args)]
pub(super) struct Post {
    #[command(flatten)]
    announcement: Announcement,
    /// Status: investigating, identified, monitoring or resolved [default: investigating]
    #[arg(long)]
    state: Option<String>,
    /// When it began, like 2026-06-10T08:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    starts_at: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(super) struct Schedule {
    #[command(flatten)]
    announcement: Announcement,
    /// When it starts, like 2026-06-10T08:00:00Z
    #[arg(long, value_name = "TIME")]
    starts_at: String,
    /// When it ends
    #[arg(long, value_name = "TIME")]
    ends_at: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(super) struct Update {
    /// The incident's id
    id: String,
    #[command(flatten)]
    message: Message,
    /// Status: investigating, identified, monitoring, resolved; for maintenance completed
    /// [default: as before]
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
#[group(required = true, multiple = true, args = ["title", "components", "all_components", "starts_at", "ends_at"])]
pub(super) struct Edit {
    /// The incident's id
    #[arg(group = "subject")]
    id: String,
    /// The title, in one line
    #[arg(long)]
    title: Option<String>,
    /// An affected component, replacing the earlier ones; can be repeated
    #[arg(long = "component", value_name = "ID")]
    components: Vec<String>,
    /// All components are affected
    #[arg(long, conflicts_with = "components")]
    all_components: bool,
    /// When it started or will start, like 2026-06-10T08:00:00Z
    #[arg(long, value_name = "TIME")]
    starts_at: Option<String>,
    /// When it ended or will end
    #[arg(long, value_name = "TIME")]
    ends_at: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(super) struct EditUpdate {
    /// The incident's id
    id: String,
    /// The id of the update, as keygate incident list --json shows it
    update: String,
    #[command(flatten)]
    message: Message,
    #[command(flatten)]
    format: Format,
}

const COLUMNS: &[(&str, &str)] = &[
    ("TITLE", "title"),
    ("STATE", "state"),
    ("COMPONENTS", "components"),
    ("STARTS", "starts_at"),
    ("ENDS", "ends_at"),
    ("ID", "id"),
];

impl Incident {
    pub(super) async fn run(self, settings: &mut Settings) -> Result<(), Failure> {
        let (command, format, sentence) = match self {
            Self::List(format) => {
                let incidents = operator::run(settings, Command::ListIncidents).await?;
                return format.table(&incidents, COLUMNS, "There are no incidents.");
            }
            Self::Post(post) => {
                let fields = post.announcement.fields()?;
                let fields = fields
                    .with("state", post.state)
                    .with("starts_at", post.starts_at);
                let sentence = "The incident {id} is on the status page: {title} ({state}).";
                (Command::PostIncident(fields.read()?), post.format, sentence)
            }
            Self::Schedule(planned) => {
                let fields = planned.announcement.fields()?;
                let fields = fields
                    .with("starts_at", Some(planned.starts_at))
                    .with("ends_at", Some(planned.ends_at));
                let sentence = "The maintenance {id} is on the status page: {title}, {starts_at} to {ends_at}.";
                let command = Command::ScheduleMaintenance(fields.read()?);
                (command, planned.format, sentence)
            }
            Self::Update(update) => {
                let fields = update.message.fields()?.with("state", update.state);
                let command = Command::UpdateIncident {
                    id: update.id,
                    request: fields.read()?,
                };
                (command, update.format, "{title} is now: {state}.")
            }
            Self::Edit(edit) => {
                let components = Some(edit.components)
                    .filter(|components| edit.all_components || !components.is_empty());
                let fields = Fields::default()
                    .with("title", edit.title)
                    .with("components", components)
                    .with("starts_at", edit.starts_at)
                    .with("ends_at", edit.ends_at);
                let command = Command::EditIncident {
                    id: edit.id,
                    request: fields.read()?,
                };
                (command, edit.format, "The incident {id} is corrected.")
            }
            Self::EditUpdate(edit) => {
                let command = Command::EditIncidentUpdate {
                    id: edit.id,
                    update: edit.update,
                    request: edit.message.fields()?.read()?,
                };
                (command, edit.format, "The incident {id} is corrected.")
            }
        };
        let incident = operator::run(settings, command).await?;
        format.print(&incident, sentence)
    }
}

impl Announcement {
    fn fields(self) -> Result<Fields, Failure> {
        let fields = self.message.fields()?;
        Ok(fields
            .with("title", Some(self.title))
            .with("components", Some(self.components)))
    }
}

impl Message {
    /// The text, or what stands on standard input.
    fn fields(self) -> Result<Fields, Failure> {
        let message = match &*self.message {
            "-" => standard_input("message")?,
            _ => self.message,
        };
        Ok(Fields::default().with("message", Some(message)))
    }
}
