//! The same stories on every database: whatever the portal relies on holds on both.
//!
//! To add a story: an `async fn(Arc<dyn Store>)` in the file of its noun, and its name in the
//! list below. Each story gets a database of its own.

mod access;
mod access_sessions;
mod actions;
mod audit;
mod before_manifests;
mod closing_sessions;
mod databases;
mod devices;
mod firmware;
mod fleet;
mod identity;
mod invitations;
mod live_sessions;
mod migrations;
mod project_keys;
mod reconciling;
mod records;
mod releases;
mod rollouts;
mod sign_ins;
mod upkeep;
mod uploads;

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
        a_change_leaves_alone_what_it_does_not_name,
        changes_at_the_same_moment_all_stand,
        a_change_ends_sign_ins_or_neither_happens,
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
        every_address_of_a_user_is_listed_once,
        a_sign_in_begins_with_the_password_that_is_in_force,
        no_sign_in_outlives_the_password_it_began_with,
        a_sign_in_of_a_disabled_or_removed_account_is_not_found,
        sign_ins_that_are_over_are_not_listed,
        sign_ins_are_finished_one_by_one_and_all_but_one;
    access: a_router_comes_back_as_it_was_written,
        a_router_leads_nowhere_else_while_a_session_is_unfinished_on_it,
        removing_a_router_takes_its_services_along,
        a_service_comes_back_as_it_was_written,
        a_public_port_is_unique_per_router_and_transport,
        grants_are_replaced_whole,
        removing_an_account_or_a_service_takes_grants_away,
        every_change_of_services_and_grants_raises_the_change_number;
    access_sessions: a_session_comes_back_as_it_was_written,
        fifty_clicks_at_once_open_one_session,
        of_fifty_sessions_at_once_as_many_enter_as_there_is_room,
        a_session_advances_from_the_state_it_is_in,
        sessions_are_filtered_and_paged,
        the_keeper_finds_sessions_that_are_due,
        no_router_takes_the_place_of_another;
    reconciling: living_sessions_are_counted_by_user_service_and_address,
        sessions_whose_right_is_gone_are_found_with_the_reason,
        a_count_of_traffic_only_grows;
    invitations: an_invitation_comes_back_with_what_is_around_it,
        invitations_are_listed_page_by_page_and_revoked_once,
        of_fifty_guests_at_the_last_use_one_enters,
        what_failed_is_no_use,
        a_guest_enters_once_beside_the_owner_and_while_there_is_room,
        nobody_enters_when_an_invitation_or_its_right_is_over,
        what_is_open_with_a_revoked_invitation_is_found;
    live_sessions: a_change_that_people_see_gets_the_next_number,
        what_changes_together_bears_one_number_or_rising_ones,
        twenty_changes_at_once_are_all_found,
        a_session_whose_host_is_woken_may_be_pending_longer;
    closing_sessions: sessions_that_match_begin_to_close_together,
        a_session_begins_to_close_or_advances_but_not_both;
    firmware: a_project_comes_back_as_it_was_written,
        a_removed_project_frees_its_name_and_revokes_its_tokens,
        what_others_must_notice_raises_the_change_number,
        a_catalogue_is_of_one_moment,
        a_revoked_token_is_in_the_catalogue_until_it_is_over,
        tokens_are_filtered_and_paged;
    project_keys: keys_come_back_the_oldest_first,
        of_twenty_new_keys_at_once_one_is_taken,
        a_project_keeps_one_key_as_long_as_it_lives;
    releases: a_release_comes_back_as_it_was_written,
        version_and_file_name_are_unique_in_a_project,
        a_release_changes_from_the_state_it_is_in,
        releases_are_numbered_in_their_project,
        each_publication_gets_the_next_counter,
        publications_at_once_get_different_counters,
        an_image_from_before_gets_its_checksum,
        only_drafts_are_deleted;
    devices: a_device_comes_back_as_it_was_written,
        devices_are_listed_page_by_page,
        sightings_tell_version_and_time,
        reports_are_kept_newest_first,
        a_removed_device_takes_reports_and_tokens_along;
    fleet: a_device_in_memory_is_like_its_row,
        a_fleet_is_loaded_page_by_page,
        what_holds_releases_back_is_read_along_with_each_device,
        a_device_is_found_by_what_foreign_clients_call_it,
        every_change_of_a_device_is_found_once,
        a_batch_is_never_cut,
        a_removed_device_is_forgotten_unless_it_came_back,
        no_change_is_missed_while_others_write,
        a_thousand_devices_are_heard_of_at_once,
        groups_are_counted;
    actions: an_action_comes_back_as_it_was_written,
        late_words_change_nothing,
        a_later_attempt_replaces_an_earlier_one,
        what_a_batch_says_twice_is_counted_once,
        two_portals_writing_at_once_both_get_through,
        the_newest_action_is_the_one_named_last;
    rollouts: minutes_tell_how_a_rollout_came_along,
        a_timeline_is_read_newest_first,
        actions_of_a_release_are_counted_and_paged,
        what_may_try_again_is_not_counted_as_failed_anew,
        overdue_actions_are_found_oldest_first,
        a_group_stands_as_its_devices_do;
    audit: a_line_comes_back_as_it_was_written,
        lines_are_filtered_by_actor_action_and_target,
        lines_are_filtered_by_time_and_paged;
    upkeep: old_reports_go_a_batch_at_a_time,
        each_device_keeps_its_newest_reports,
        tokens_go_when_they_are_over_and_never_before,
        of_each_account_the_newest_acknowledgement_stays,
        old_lines_of_timelines_go,
        each_timeline_keeps_its_newest_lines,
        minutes_of_a_rollout_go_together,
        tombstones_go_after_a_while;
    uploads: an_upload_comes_back_as_it_was_written,
        an_upload_moves_on_until_it_is_a_release,
        uploads_without_a_byte_for_long_are_found,
        of_twenty_uploads_at_once_as_many_begin_as_fit;
}
