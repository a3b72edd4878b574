//! The same in Firefox: a tour through the pages, and what people do there.

use crate::{
    administration::an_admin_looks_after_accounts, keys::keys_are_created_changed_and_revoked,
    person::FIREFOX, sessions::somebody_signs_in_and_ends_other_sessions, status, tour,
};

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_fit_to_be_seen_in_firefox() {
    tour::before_signing_in(FIREFOX).await;
    tour::of_an_account(FIREFOX).await;
    tour::of_admins(FIREFOX).await;
    status::the_status_page(FIREFOX).await;
    status::pages_about_incidents(FIREFOX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_do_in_firefox_what_they_do_elsewhere() {
    keys_are_created_changed_and_revoked(FIREFOX).await;
    an_admin_looks_after_accounts(FIREFOX).await;
    somebody_signs_in_and_ends_other_sessions(FIREFOX).await;
    status::an_incident_is_posted_and_resolved(FIREFOX).await;
}
