mod create;
mod delete;
mod history;
mod list;
mod show;
mod update;
mod usage;
