//! The same stories on every database: whatever the portal relies on holds on both.
//!
//! To add a story: an `async fn(Arc<dyn Store>)` in the file of its noun, and its name in the
//! list below. Each story gets a database of its own.

mod access;
mod access_sessions;
mod audit;
mod databases;
mod devices;
mod firmware;
mod identity;
mod migrations;
mod records;
mod sign_ins;

/// Runs each story on SQLite and on PostgreSQL.
macro_rules! stories {
    ($($noun:ident: $($story:ident),+;)+) => {
        mod on_sqlite {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                crate::databases::on_sqlite(crate::$noun::$story).await;
            })+)+
        }
        mod on_postgres {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                crate::databases::on_postgres(crate::$noun::$story).await;
            })+)+
        }
    };
}

stories! {
    identity: an_account_comes_back_as_it_was_written,
        an_address_is_unique_until_its_account_is_removed,
        a_password_is_replaced_only_where_it_is_still_known,
        accounts_are_listed_page_by_page,
        one_enabled_admin_always_stays,
        two_admins_removing_each_other_leave_one,
        a_portal_without_admins_lets_owners_change,
        a_set_up_link_works_once_and_not_too_late,
        twenty_people_with_one_set_up_link_make_one_admin,
        the_newest_acknowledgement_counts,
        text_is_kept_to_the_letter_or_refused;
    sign_ins: a_sign_in_is_found_by_the_hash_of_its_secret,
        a_sign_in_of_a_disabled_or_removed_account_is_not_found,
        sign_ins_that_are_over_are_not_listed,
        sign_ins_are_finished_one_by_one_and_all_but_one;
    access: a_router_comes_back_as_it_was_written,
        removing_a_router_takes_its_services_along,
        a_service_comes_back_as_it_was_written,
        a_public_port_is_unique_per_router_and_transport,
        grants_are_replaced_whole,
        removing_an_account_or_a_service_takes_grants_away;
    access_sessions: a_session_comes_back_as_it_was_written,
        fifty_clicks_at_once_open_one_session,
        a_session_advances_from_the_state_it_is_in,
        sessions_are_filtered_and_paged,
        the_keeper_finds_sessions_that_are_due;
    firmware: a_project_comes_back_as_it_was_written,
        a_removed_project_frees_its_name_and_revokes_its_tokens,
        a_release_comes_back_as_it_was_written,
        version_and_file_name_are_unique_in_a_project,
        a_release_changes_from_the_state_it_is_in,
        only_drafts_are_deleted,
        what_others_must_notice_raises_the_change_number,
        a_catalogue_is_of_one_moment,
        a_revoked_token_is_in_the_catalogue_until_it_is_over,
        tokens_are_filtered_and_paged;
    devices: a_device_comes_back_as_it_was_written,
        devices_are_listed_page_by_page,
        sightings_tell_version_and_time,
        reports_are_kept_newest_first,
        a_removed_device_takes_reports_and_tokens_along;
    audit: a_line_comes_back_as_it_was_written,
        lines_are_filtered_by_actor_action_and_target,
        lines_are_filtered_by_time_and_paged;
}
