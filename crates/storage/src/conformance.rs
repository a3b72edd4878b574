//! The suite that every backend must pass. A backend's tests say how to open an empty store, and
//! [`conformance_tests!`](crate::conformance_tests) makes one test of each function here.

#![expect(
    missing_docs,
    reason = "each function's name is the guarantee that it tests"
)]

pub mod accounts;
pub mod audit;
mod fixture;
pub mod keys;
pub mod links;
pub mod others;
pub mod prune;
pub mod sessions;
pub mod status;

pub use fixture::{ExpectMade, Fixture, PASSWORD_HASH};

/// One test for each function of the suite. `$open` is an async function that gives an empty store
/// and whatever must live as long as it does.
#[macro_export]
macro_rules! conformance_tests {
    ($open:path) => {
        $crate::conformance_tests!(@module $open, accounts:
            an_account_is_found_by_its_address
            one_address_has_one_account
            a_stranger_cannot_make_the_first_account
            it_is_known_whether_there_is_an_admin
            the_last_admin_stays_one
            of_two_last_admins_that_are_suspended_at_once_one_stays
            an_account_and_its_first_session_are_one_change
            a_new_password_and_its_session_are_one_change
            of_two_who_replace_one_password_one_does
            of_two_admins_that_suspend_each_other_one_stays
            a_new_password_ends_the_accounts_sessions_only
            suspension_ends_sessions_and_shuts_keys_until_resumed
            an_unknown_account_cannot_be_changed
            accounts_are_listed_oldest_first_with_their_keys
            another_role_ends_the_accounts_sessions
            an_admin_whose_session_is_over_changes_no_account
        );
        $crate::conformance_tests!(@module $open, links:
            an_invitation_works_once
            an_invitation_for_an_address_ends_once_that_has_an_account
            an_expired_invitation_does_not_work
            a_set_up_link_works_only_while_there_is_no_account
            set_up_links_work_beside_each_other_until_one_is_used
            set_up_links_that_are_over_make_room
            of_two_who_follow_set_up_links_one_makes_the_first_account
            an_invitation_does_not_make_the_first_account
            of_many_who_follow_one_invitation_one_makes_an_account
            a_link_resets_a_password_once
            a_link_to_reset_a_password_ends
            of_two_who_follow_one_link_one_sets_the_password
            a_reset_password_and_its_session_are_one_change
            links_end_with_the_rights_of_who_made_them
            links_end_with_the_session_that_made_them_if_another_ends_it
            no_link_is_left_by_a_session_that_ends_meanwhile
            links_are_listed_newest_first_and_paged
            a_withdrawn_link_works_no_more
            of_a_link_that_is_used_and_withdrawn_one_holds
            an_unknown_account_gets_no_link
        );
        $crate::conformance_tests!(@module $open, audit:
            entries_are_found_by_account_subject_and_action
            entries_are_listed_newest_first_and_paged
        );
        $crate::conformance_tests!(@module $open, sessions:
            a_session_is_found_by_its_token_with_its_account
            a_deleted_session_is_gone
            who_has_signed_in_is_known_again
            an_account_has_so_many_sessions_and_the_least_used_gives_way
            touching_moves_forward_only
            a_session_that_is_over_is_not_revived_by_its_use
            a_session_that_is_over_changes_nothing
            a_sign_in_that_was_overtaken_gives_no_session
            signing_in_drops_the_accounts_sessions_that_are_over
            an_accounts_live_sessions_are_listed_last_used_first
            all_sessions_of_an_account_but_one_end
            two_sessions_that_end_each_other_do_not_both_go_on
        );
        $crate::conformance_tests!(@module $open, keys:
            a_key_reads_back_as_it_was_issued
            keys_are_listed_newest_first_and_paged
            states_change_at_the_very_millisecond
            the_limit_counts_active_keys_only
            the_limit_on_all_keys_counts_those_of_every_state
            parallel_creates_never_exceed_the_limit_on_all_keys
            pages_of_every_status_go_on_where_the_last_one_ended
            switching_on_needs_a_free_place
            switching_on_what_is_on_takes_no_place
            an_expired_key_cannot_be_switched_on
            only_the_supplied_fields_of_one_key_change
            another_accounts_key_cannot_be_seen_or_changed
            a_deleted_key_is_gone
            last_use_moves_forward_only
            uses_of_all_recorders_add_up_and_none_counts_twice
            listeners_hear_of_each_change_before_it_is_acknowledged
            a_refused_change_leaves_no_trace
            parallel_creates_never_exceed_the_limit
            hashers_are_bound_while_there_are_keys
            prefixes_are_bound_while_there_are_keys
            a_prefix_that_was_never_noted_is_that_of_the_keys
            the_rules_by_which_keys_were_issued_are_kept
            an_installation_is_named_once
            names_come_back_as_they_went_in
            a_form_makes_one_key_of_an_account
            a_form_that_is_sent_many_times_at_once_makes_one_key
            a_refused_form_can_be_sent_again
        );
        $crate::conformance_tests!(@module $open, prune:
            sessions_that_are_over_are_forgotten_some_at_a_time
            links_that_have_expired_are_forgotten
            forms_that_nobody_sends_again_are_forgotten
            entries_of_the_record_are_forgotten_oldest_first
            flushes_are_remembered_whatever_a_nodes_clock_says
        );
        $crate::conformance_tests!(@module $open, others:
            one_of_a_thousand_keys_is_changed
            one_of_a_thousand_accounts_is_changed
            one_of_a_thousand_sessions_is_changed
        );
        $crate::conformance_tests!(@module $open, status:
            one_prober_probes_a_component_until_it_falls_silent
            probes_add_up_and_none_counts_twice
            what_is_old_is_forgotten
            a_component_has_one_open_outage
            incidents_are_changed_and_listed_newest_first
            two_changes_at_once_leave_what_one_after_the_other_does
            a_change_of_one_incident_leaves_999_as_they_are
            an_incident_is_changed_with_its_entry_or_not_at_all
        );
    };
    (@module $open:path, $module:ident: $($name:ident)*) => {
        mod $module {
            $(#[tokio::test]
            async fn $name() {
                let (store, _guard) = $open().await;
                $crate::conformance::$module::$name($crate::conformance::Fixture::new(store)).await;
            })*
        }
    };
}
