//! The forms about a release that are no part of its rollout.

use gatehouse_types::{firmware::Release, limits, rollout::Channel};
use leptos::prelude::*;

use super::{loading::typed, release_offer::hidden};
use crate::{
    components::{Button, Checkbox, Choice, PostForm, SelectField, TextArea, TextField},
    context::PageContext,
    forms::releases::RULES,
};

fn inputs(release: &Release) -> impl IntoView + use<> {
    hidden(release)
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view()
}

/// Who may get the release at all.
pub(super) fn rules_form(release: &Release) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let texts = &messages.rollout;
    let channels = vec![
        Choice::new(Channel::Stable.as_str(), texts.stable_choice),
        Choice::new(Channel::Beta.as_str(), texts.beta_choice),
    ];
    let least = release.min_version.clone().unwrap_or_default();
    let (inputs, downgrade) = (inputs(release), release.allow_downgrade);
    let channel = typed(&page, "channel", release.channel.as_str());
    view! {
        <PostForm action="/api/ui/change_release_rules">
            {inputs}
            <SelectField name="channel" label=texts.channel scope=RULES options=channels selected=channel />
            <TextField
                name="min_version"
                label=texts.min_version
                hint=texts.min_version_hint
                scope=RULES
                value=typed(&page, "min_version", &least)
                mono=true
            />
            <Checkbox
                name="allow_downgrade"
                label=texts.allow_downgrade
                hint=texts.allow_downgrade_hint
                scope=RULES
                checked=downgrade
            />
            <Button>{messages.common.save}</Button>
        </PostForm>
    }
}

/// What changed, for people.
pub(super) fn notes_form(release: &Release) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let inputs = inputs(release);
    let notes = typed(&page, "notes", &release.notes);
    view! {
        <PostForm action="/api/ui/change_release">
            {inputs}
            <TextArea
                name="notes"
                label=messages.release.notes
                hint=messages.release.notes_hint
                value=notes
                max_chars=limits::TEXT_MAX_CHARS
            />
            <Button>{messages.common.save}</Button>
        </PostForm>
    }
}
