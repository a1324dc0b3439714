//! How the portal stands with its co-signer, on the page of a project's keys.

use gatehouse_types::{
    firmware::{Release, ReleaseState},
    manifest::{CoSignerKind, CoSignerState, CoSignerStatus},
};
use leptos::prelude::*;
use uuid::Uuid;

use crate::{
    components::{Badge, Banner, CodeBlock, Fact, Facts, Section, Time, Tone},
    context::PageContext,
    format::fill,
};

/// Where it runs, whether it answers, and what to do if it does not.
pub(super) fn cosigner_section(status: &CoSignerStatus) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let texts = &messages.keys;
    let (tone, word, trouble) = match status.state {
        CoSignerState::Ok => (Tone::Good, texts.ok, None),
        CoSignerState::Unreachable => (
            Tone::Bad,
            texts.unreachable,
            Some((texts.unreachable_title, texts.unreachable_hint)),
        ),
        CoSignerState::Refused => (
            Tone::Bad,
            texts.refused,
            Some((texts.refused_title, texts.refused_hint)),
        ),
        CoSignerState::Clock => (
            Tone::Warn,
            texts.clock,
            Some((texts.clock_title, texts.clock_hint)),
        ),
    };
    let trouble = trouble.map(|(title, hint)| {
        view! { <Banner tone=tone title=title>{hint}</Banner> }
    });
    let weaker = (status.kind == CoSignerKind::InProcess).then(|| {
        view! { <Banner tone=Tone::Warn title=texts.weaker_title>{texts.weaker}</Banner> }
    });
    let place = match &status.url {
        Some(url) => fill(texts.runs_at, &[("url", url)]),
        None => texts.runs_in_process.to_owned(),
    };
    let (since_ms, server_id) = (status.since.0, status.server_id.clone());
    let said = in_its_words(&status.detail);
    view! {
        <Section title=texts.cosigner>
            {trouble}
            {weaker}
            <Facts>
                <Fact term=texts.runs>{place}</Fact>
                <Fact term=messages.common.state>
                    <Badge tone=tone label=word />
                    " "
                    {messages.signing.since}
                    " "
                    <Time at_ms=since_ms />
                </Fact>
                {said}
                <Fact term=texts.server_id><code>{server_id}</code></Fact>
            </Facts>
        </Section>
    }
}

/// A sentence of the co-signer, which speaks English; nothing when it said none.
pub(super) fn in_its_words(detail: &str) -> Option<impl IntoView + use<>> {
    let term = PageContext::current().messages().keys.its_words;
    let detail = detail.to_owned();
    (!detail.is_empty()).then(|| view! { <Fact term=term><span lang="en">{detail}</span></Fact> })
}

/// What whoever runs the co-signer needs to let this portal in.
pub(super) fn trust_section(
    status: &CoSignerStatus,
    project_id: Uuid,
    releases: &[Release],
) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().keys;
    let needs_older = need_older(releases);
    let older_flag = if needs_older { " --older-releases" } else { "" };
    let commands = format!(
        "gatehouse-cosigner approver add NAME\n\
        gatehouse-cosigner trust portal --key portal.pem --project {project_id} --approval{older_flag}"
    );
    let older = needs_older.then(|| view! { <p>{texts.trust_older}</p> });
    let identity = status.identity_pem.clone();
    view! {
        <Section title=texts.trust_title>
            <p>{texts.trust_hint}</p>
            <CodeBlock label=texts.identity text=identity copy=true />
            <CodeBlock label=texts.trust_command text=commands copy=true />
            {older}
            <p>{texts.trust_options}</p>
        </Section>
    }
}

/// Tells whether some devices stay with an older release while others get a newer one.
fn need_older(releases: &[Release]) -> bool {
    let alive = |release: &&Release| release.state != ReleaseState::Withdrawn;
    let alive: Vec<_> = releases.iter().filter(alive).collect();
    let is_stepped = alive.iter().any(|release| release.min_version.is_some());
    is_stepped
        || alive
            .iter()
            .any(|release| release.channel != alive[0].channel)
}

#[cfg(test)]
mod tests {
    use gatehouse_types::{Timestamp, rollout::Channel};

    use super::*;
    use crate::{
        context::{PageContext, tests::context},
        i18n::Lang,
        pages::firmware_tests::{assert_sound, demo_release, render},
    };

    fn status(kind: CoSignerKind, state: CoSignerState, detail: &str) -> CoSignerStatus {
        CoSignerStatus {
            kind,
            url: (kind == CoSignerKind::Service).then(|| "https://second.example".to_owned()),
            server_id: "0b7a".to_owned(),
            identity_pem: "PEM".to_owned(),
            state,
            since: Timestamp(1_763_719_200_000),
            detail: detail.to_owned(),
        }
    }

    fn section(kind: CoSignerKind, state: CoSignerState, detail: &str, lang: Lang) -> String {
        let status = status(kind, state, detail);
        let page = PageContext {
            lang,
            ..context("")
        };
        let html = render(page, || cosigner_section(&status));
        assert_sound(&html);
        html
    }

    #[test]
    fn a_cosigner_in_process_is_called_weaker_and_one_elsewhere_is_not() {
        let inside = section(CoSignerKind::InProcess, CoSignerState::Ok, "", Lang::En);
        assert!(inside.contains("Weaker than a second host"), "{inside}");
        assert!(inside.contains("docs/COSIGNER.md"));
        let outside = section(CoSignerKind::Service, CoSignerState::Ok, "", Lang::En);
        assert!(
            outside.contains("As a service at https://second.example"),
            "{outside}"
        );
        assert!(!outside.contains("Weaker") && outside.contains("badge-good"));
        assert!(!outside.contains("In its words"));
    }

    #[test]
    fn each_trouble_has_a_word_a_moment_and_what_to_do() {
        for (state, badge, word, deed) in [
            (
                CoSignerState::Unreachable,
                "bad",
                "Unreachable",
                "cosigner.url",
            ),
            (
                CoSignerState::Refused,
                "bad",
                "Refuses this portal",
                "Make this portal known",
            ),
            (CoSignerState::Clock, "warn", "Clocks differ", "NTP"),
        ] {
            let html = section(CoSignerKind::Service, state, "Off by <200> s.", Lang::En);
            assert!(html.contains(&format!("badge-{badge}\">{word}<")), "{html}");
            assert!(html.contains("2025-11-21 10:00 UTC"), "{html}");
            assert!(html.contains(deed), "{word}");
            assert!(html.contains("Off by &lt;200&gt; s."), "{html}");
        }
    }

    #[test]
    fn the_trust_command_names_the_project_and_what_its_releases_need() {
        let published = || demo_release(ReleaseState::Published);
        let beta = |state| Release {
            channel: Channel::Beta,
            ..demo_release(state)
        };
        let stepped = Release {
            min_version: Some("1.0.0".to_owned()),
            ..published()
        };
        for (releases, older) in [
            (vec![], false),
            (vec![published(), published()], false),
            (vec![published(), beta(ReleaseState::Withdrawn)], false),
            (vec![published(), beta(ReleaseState::Published)], true),
            (vec![stepped], true),
        ] {
            let status = status(CoSignerKind::Service, CoSignerState::Refused, "");
            let id = Uuid::from_u128(9);
            let html = render(context(""), || trust_section(&status, id, &releases));
            assert_sound(&html);
            assert!(
                html.contains(&format!("--project {id} --approval")),
                "{html}"
            );
            assert_eq!(
                html.contains("--approval --older-releases"),
                older,
                "{html}"
            );
            assert_eq!(html.contains("stepping stones"), older, "{html}");
        }
    }

    #[test]
    fn its_own_words_are_marked_as_english() {
        let html = section(
            CoSignerKind::Service,
            CoSignerState::Clock,
            "Off.",
            Lang::Es,
        );
        assert!(html.contains("<span lang=\"en\">Off.</span>"), "{html}");
        assert!(html.contains("Relojes distintos"));
    }
}
