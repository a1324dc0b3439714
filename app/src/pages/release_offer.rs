//! Publishing a release, by one person or by two, and taking it back.

use gatehouse_types::{
    Timestamp,
    firmware::{Release, ReleaseState},
};
use leptos::prelude::*;

use super::release_image::objection_banners;
use crate::{
    components::{Banner, Confirm, Look, PostButton, Tone},
    context::PageContext,
    format::fill,
    links,
};

/// What the state means, and what may be done about it.
///
/// `under_way` counts the devices that a withdrawal stops; `two_persons` is the project's wish.
pub(super) fn offer(release: &Release, two_persons: bool, under_way: i64) -> AnyView {
    let messages = PageContext::current().messages();
    let texts = &messages.release;
    if release.state == ReleaseState::Published {
        let n = under_way.to_string();
        let values = [("version", release.version.as_str()), ("n", &n)];
        return view! {
            <p>{texts.published_means}</p>
            <Confirm
                summary=texts.withdraw
                warning=fill(texts.withdraw_warning, &values)
                action="/api/ui/withdraw_release"
                button=texts.withdraw
                extra=hidden(release)
            />
        }
        .into_any();
    }
    if two_persons && waits(release) {
        return waiting(release).into_any();
    }
    let (meaning, is_draft) = match release.state {
        ReleaseState::Draft => (texts.draft_means, true),
        _ => (texts.withdrawn_means, false),
    };
    let asks = two_persons.then_some(messages.rollout.ask_hint);
    view! {
        {objection_banners(release)}
        <p>{meaning}</p>
        {asks.map(|hint| view! { <p>{hint}</p> })}
        {publish(release, two_persons)}
        {is_draft.then(|| delete_draft(release))}
    }
    .into_any()
}

/// Whether somebody asked to publish it and nobody agreed yet.
fn waits(release: &Release) -> bool {
    let approval = &release.approval;
    let is_new = release.withdrawn_at.is_none_or(|withdrawn| {
        approval
            .requested_at
            .is_some_and(|requested| requested > withdrawn)
    });
    approval.requested_at.is_some() && approval.approved_at.is_none() && is_new
}

fn waiting(release: &Release) -> impl IntoView + use<> {
    let page = PageContext::current();
    let texts = &page.messages().rollout;
    let approval = &release.approval;
    let who = approval.requested_by_email.as_deref().unwrap_or("–");
    let at = approval.requested_at.map(Timestamp::rfc3339);
    let at = at.unwrap_or_default().replace('T', " ");
    let at = format!("{} UTC", at.get(..16).unwrap_or(&at));
    let sentence = fill(texts.waits, &[("who", who), ("time", &at)]);
    let is_own = approval.requested_by.is_some_and(|id| page.owns(id));
    let agree = if is_own {
        view! { <p>{texts.waits_own}</p> }.into_any()
    } else {
        let mut extra = hidden(release);
        extra.push(("sha256", release.sha256.clone()));
        let asked_at_ms = approval.requested_at.map_or(0, |asked| asked.0);
        extra.push(("requested_at_ms", asked_at_ms.to_string()));
        view! {
            <PostButton action="/api/ui/approve_release" look=Look::Primary extra=extra>{texts.agree}</PostButton>
        }
        .into_any()
    };
    view! {
        {objection_banners(release)}
        <Banner tone=Tone::Busy title=texts.waits_title>{sentence}</Banner>
        {agree}
        {delete_draft(release)}
    }
}

fn publish(release: &Release, two_persons: bool) -> Option<AnyView> {
    let messages = PageContext::current().messages();
    let texts = &messages.release;
    let is_unfit = |code: gatehouse_types::image::ObjectionKind| !code.may_be_overruled();
    let mut objections = release.objections.iter();
    if objections.any(|objection| is_unfit(objection.code)) {
        return None;
    }
    let mut extra = hidden(release);
    if !release.objections.is_empty() {
        extra.push(("anyway", "true".to_owned()));
    }
    let word = match (release.objections.is_empty(), two_persons) {
        (false, _) => texts.publish_anyway,
        (true, true) => messages.rollout.ask,
        (true, false) => texts.publish,
    };
    let look = if release.objections.is_empty() {
        Look::Primary
    } else {
        Look::Plain
    };
    let button = view! {
        <PostButton action="/api/ui/publish_release" look=look extra=extra>{word}</PostButton>
    };
    Some(button.into_any())
}

fn delete_draft(release: &Release) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().release;
    view! {
        <Confirm
            summary=texts.delete_draft
            warning=fill(texts.remove_warning, &[("version", &release.version)])
            action="/api/ui/delete_release"
            button=texts.delete_draft
            extra=hidden(release)
        />
    }
}

/// The one step that a list of releases offers: publish, or go and look.
pub(super) fn next_step(release: &Release, two_persons: bool) -> AnyView {
    let texts = &PageContext::current().messages().release;
    let is_plain = release.state != ReleaseState::Published && release.objections.is_empty();
    if is_plain && !(two_persons && waits(release)) {
        return publish(release, two_persons).into_any();
    }
    let href = links::release(&release.project, &release.version).into_url();
    view! { <a href=href>{texts.see}</a> }.into_any()
}

/// What names a release in a form.
pub(super) fn hidden(release: &Release) -> Vec<(&'static str, String)> {
    vec![
        ("project", release.project.clone()),
        ("version", release.version.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use gatehouse_types::{
        image::{Objection, ObjectionKind},
        rollout::Approval,
    };
    use uuid::Uuid;

    use super::*;
    use crate::{
        context::{Viewer, tests::context},
        pages::firmware_tests::{assert_sound, demo_release, render},
    };

    fn html(release: &Release, two_persons: bool) -> String {
        let viewer = Viewer {
            id: Uuid::from_u128(1).to_string(),
            email: "one@example.test".to_owned(),
            is_admin: true,
        };
        let page = PageContext {
            actor: Some(viewer),
            ..context("")
        };
        let html = render(page, || offer(release, two_persons, 3));
        assert_sound(&html);
        html
    }

    #[test]
    fn only_what_the_state_allows_is_on_offer() {
        let offers = |state| {
            let html = html(&demo_release(state), false);
            ["publish", "withdraw", "delete"]
                .map(|verb| html.contains(&format!("/api/ui/{verb}_release")))
        };
        assert_eq!(offers(ReleaseState::Draft), [true, false, true]);
        assert_eq!(offers(ReleaseState::Published), [false, true, false]);
        assert_eq!(offers(ReleaseState::Withdrawn)[..2], [true, false]);
    }

    #[test]
    fn a_withdrawal_says_how_many_devices_it_stops() {
        let html = html(&demo_release(ReleaseState::Published), false);
        assert!(html.contains("3 devices are under way"), "{html}");
    }

    #[test]
    fn an_objection_is_told_and_overruled_only_where_that_may_be() {
        let objected = |code| Release {
            objections: vec![Objection {
                code,
                detail: String::new(),
            }],
            ..demo_release(ReleaseState::Draft)
        };
        let doubted = html(&objected(ObjectionKind::ImageName), false);
        assert!(doubted.contains("name=\"anyway\""), "{doubted}");
        assert!(doubted.contains("calls its firmware otherwise"));
        let unfit = html(&objected(ObjectionKind::ImageSecureVersion), false);
        assert!(!unfit.contains("/api/ui/publish_release"));
        assert!(unfit.contains("anti-rollback"));
    }

    #[test]
    fn whoever_asked_cannot_agree() {
        let asked_by = |id| Release {
            approval: Approval {
                requested_by: Some(Uuid::from_u128(id)),
                requested_by_email: Some("who@example.test".to_owned()),
                requested_at: Some(Timestamp(1)),
                ..Approval::default()
            },
            ..demo_release(ReleaseState::Draft)
        };
        let own = html(&asked_by(1), true);
        assert!(own.contains("You asked yourself") && !own.contains("approve_release"));
        let others = html(&asked_by(2), true);
        assert!(others.contains("who@example.test asked") && others.contains("approve_release"));
        assert!(others.contains("1970-01-01 00:00 UTC"), "{others}");
        assert!(html(&asked_by(2), false).contains("/api/ui/publish_release"));
    }
}
