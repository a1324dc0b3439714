//! From nothing to a device that updates itself: what to do next.

use gatehouse_types::firmware::{Project, Release, ReleaseState};
use leptos::prelude::*;

use super::release_offer::next_step;
use crate::{
    components::{Badge, ButtonLink, Section, Tone},
    context::PageContext,
    format::fill,
    links,
};

/// How far a newcomer is: as soon as a device asked, there is nothing left to say.
pub(super) fn first_steps(
    project: &Project,
    releases: &[Release],
    devices: i64,
    was_heard: bool,
) -> Option<AnyView> {
    let texts = &PageContext::current().messages().connect;
    let is_published = |release: &Release| release.state == ReleaseState::Published;
    let done = [
        true,
        !releases.is_empty(),
        releases.iter().any(is_published),
        devices > 0,
        was_heard,
    ];
    let next = done.iter().position(|done| !done)?;
    let draft = releases.first();
    let publish = match draft {
        Some(draft) => fill(texts.publish, &[("version", &draft.version)]),
        None => texts.publish_first.to_owned(),
    };
    let upload = links::upload(&project.name).into_url();
    let add = links::devices(&project.name).into_url();
    let link = |href: String, label: &'static str| {
        view! { <ButtonLink href=href>{label}</ButtonLink> }.into_any()
    };
    let publish_now = draft.map(|draft| next_step(draft, project.two_person_approval));
    let steps = [
        (texts.make.to_owned(), "", ().into_any()),
        (
            texts.upload.to_owned(),
            texts.upload_hint,
            link(upload, texts.upload),
        ),
        (publish, texts.publish_hint, publish_now.into_any()),
        (
            texts.device.to_owned(),
            texts.device_hint,
            link(add, texts.device),
        ),
        (texts.ask.to_owned(), texts.ask_hint, ().into_any()),
    ];
    let items = (0..)
        .zip(steps)
        .map(|(place, step)| view! { <Step place=place next=next is_done=done[place] step=step /> })
        .collect_view();
    let steps = view! {
        <Section title=texts.steps>
            <ol class="steps">{items}</ol>
        </Section>
    };
    Some(steps.into_any())
}

#[component]
fn Step(
    place: usize,
    next: usize,
    is_done: bool,
    /// Its name, its hint, and what does it.
    step: (String, &'static str, AnyView),
) -> impl IntoView {
    let texts = &PageContext::current().messages().connect;
    let (name, hint, action) = step;
    let (tone, word) = match (is_done, place == next) {
        (true, _) => (Tone::Good, texts.step_done),
        (false, true) => (Tone::Busy, texts.step_next),
        (false, false) => (Tone::Idle, texts.step_later),
    };
    let is_next = place == next;
    let rest = is_next.then(|| view! { <p>{hint}</p> {action} });
    view! {
        <li aria-current=is_next.then_some("step")>
            <Badge tone=tone label=word />
            <div class="step-body"><span>{name}</span>{rest}</div>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_project, demo_release, render},
    };

    fn steps(releases: &[Release], devices: i64, was_heard: bool) -> String {
        let project = demo_project();
        let html = render(context(""), || {
            first_steps(&project, releases, devices, was_heard)
        });
        assert_sound(&html);
        html
    }

    /// The name of the step that has its turn.
    fn next(html: &str) -> &str {
        let current = html.split("aria-current=\"step\"").nth(1).unwrap_or("");
        let name = current.split("<span>").nth(1).unwrap_or("");
        name.split('<').next().unwrap_or("")
    }

    #[test]
    fn each_step_leads_to_the_next_until_a_device_asked() {
        let draft = [demo_release(ReleaseState::Draft)];
        let published = [demo_release(ReleaseState::Published)];
        let nothing = steps(&[], 0, false);
        assert_eq!(next(&nothing), "Upload an image");
        assert!(nothing.contains("/admin/projects/lamp/upload"));
        let uploaded = steps(&draft, 0, false);
        assert_eq!(next(&uploaded), "Publish 1.0.2+b");
        assert!(uploaded.contains("/api/ui/publish_release"), "{uploaded}");
        assert_eq!(next(&steps(&published, 0, false)), "Add a device");
        assert_eq!(next(&steps(&published, 1, false)), "Point the device here");
        assert!(!steps(&published, 1, true).contains("<ol"));
    }
}
