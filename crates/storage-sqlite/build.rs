//! Finds the migrations of the schema.

#[path = "../storage-sql/build/migrations.rs"]
mod migrations;

fn main() {
    migrations::list();
}
