//! What a device checks of a release before it installs, and what the co-signer last said to it.

use gatehouse_core::Result;
use gatehouse_types::{
    firmware::{Project, Release, ReleaseState},
    manifest::{CoSignerWord, ReleaseSigning},
};
use leptos::prelude::*;

use super::project_cosigner::in_its_words;
use crate::{
    components::{Badge, CodeBlock, Fact, Facts, Section, Time, Tone},
    context::PageContext,
    format::fill,
    i18n::Signing as Texts,
    links,
    visit::Visit,
};

/// A release under its two signatures.
pub(super) struct Signed {
    pub(super) project: Project,
    pub(super) signing: ReleaseSigning,
}

/// Reads how the release stands with the co-signer, as far as this instance saw it.
pub(super) fn load(visit: &Visit, project: &str, version: &str) -> Result<Signed> {
    let (firmware, actor) = (&visit.portal.firmware, &visit.actor);
    Ok(Signed {
        project: firmware.project(actor, project)?,
        signing: firmware.release_signing(actor, project, version)?,
    })
}

/// Changes when the co-signer says something else.
pub(super) fn rev(signed: &Signed) -> String {
    let word = signed.signing.co_signer.as_ref();
    word.map(|word| format!("{} {}", word.code, word.since.0))
        .unwrap_or_default()
}

/// The facts that both keys sign, and what the co-signer last said.
pub(super) fn section(release: &Release, signed: &Signed) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().signing;
    let Signed { project, signing } = signed;
    let keys = links::keys(&project.name).into_url();
    let to_keys = fill(texts.to_keys, &[("project", &project.title)]);
    let facts = signed_facts(release, signed, texts);
    let word = cosigner_word(release, signing.co_signer.as_ref(), texts);
    let awaits = is_of(signing, "awaits_approval")
        .then(|| approve_command(project, signing.release_counter, texts));
    view! {
        <Section title=texts.title>
            <p>{texts.hint}</p>
            <Facts>{facts} {word}</Facts>
            {awaits}
            <p><a href=keys>{to_keys}</a></p>
        </Section>
    }
}

fn signed_facts(
    release: &Release,
    Signed { project, signing }: &Signed,
    texts: &'static Texts,
) -> impl IntoView + use<> {
    let hardware = match project.hardware.as_slice() {
        [] => texts.any_hardware.to_owned(),
        chips => chips.join(", "),
    };
    let counter = match (signing.release_counter, release.state) {
        (Some(counter), _) => counter.to_string(),
        (None, ReleaseState::Published) => texts.counter_missing.to_owned(),
        (None, _) => texts.counter_later.to_owned(),
    };
    let crc32 = match signing.crc32 {
        Some(crc32) => view! { <code>{format!("{crc32:08x}")}</code> }.into_any(),
        None => texts.crc32_later.into_any(),
    };
    let n = release.size_bytes.to_string();
    let min_version = release.min_version.clone();
    let min_version = min_version.unwrap_or_else(|| texts.any_version.to_owned());
    let downgrade = if release.allow_downgrade {
        texts.downgrade_yes
    } else {
        texts.downgrade_no
    };
    let (name, version) = (project.name.clone(), release.version.clone());
    let (own, theirs) = (project.id.to_string(), format!("project/{}", project.id));
    let sha256 = release.sha256.clone();
    view! {
        <Fact term=texts.project><code>{name}</code></Fact>
        <Fact term=texts.version><code>{version}</code></Fact>
        <Fact term=texts.counter>{counter}<br /><span class="muted">{texts.counter_hint}</span></Fact>
        <Fact term=texts.hardware>{hardware}</Fact>
        <Fact term=texts.size>{fill(texts.bytes, &[("n", &n)])}</Fact>
        <Fact term="SHA-256"><code>{sha256}</code></Fact>
        <Fact term="CRC-32">{crc32}</Fact>
        <Fact term=texts.min_version>{min_version}</Fact>
        <Fact term=texts.downgrade>{downgrade}</Fact>
        <Fact term=texts.signers><code>{own}</code><br /><code>{theirs}</code></Fact>
        <Fact term=texts.lifetime>{texts.lifetime_value}</Fact>
    }
}

fn cosigner_word(
    release: &Release,
    word: Option<&CoSignerWord>,
    texts: &'static Texts,
) -> impl IntoView + use<> {
    let is_withdrawn = release.state == ReleaseState::Withdrawn;
    let (tone, label, hint) = match word {
        None => (Tone::Idle, texts.not_asked, Some(texts.not_asked_hint)),
        Some(word) => told(&word.code, texts),
    };
    let hint = if is_withdrawn {
        Some(texts.withdrawn)
    } else {
        hint
    };
    let since = word.map(|word| {
        let since_ms = word.since.0;
        view! { " " {texts.since} " " <Time at_ms=since_ms /> }
    });
    view! {
        <Fact term=texts.cosigner>
            <Badge tone=tone label=label />
            {since}
            {hint.map(|hint| view! { <br /><span>{hint}</span> })}
        </Fact>
        {word.and_then(|word| in_its_words(&word.detail))}
    }
}

/// What a code of the co-signer means here, and what to do.
fn told(code: &str, texts: &'static Texts) -> (Tone, &'static str, Option<&'static str>) {
    let (tone, label, hint) = match code {
        CoSignerWord::SIGNED => return (Tone::Good, texts.signed, None),
        CoSignerWord::UNREACHABLE => (Tone::Bad, texts.unreachable, texts.unreachable_hint),
        CoSignerWord::CLOCK => (Tone::Warn, texts.clock, texts.clock_hint),
        "awaits_approval" | "counter_leaps" => (Tone::Busy, texts.awaits, texts.awaits_hint),
        "revoked" => (Tone::Bad, texts.revoked, texts.revoked_hint),
        "unknown_portal" | "wrong_key" => (Tone::Bad, texts.refused, texts.unknown_hint),
        "wrong_project" => (Tone::Bad, texts.refused, texts.project_hint),
        "counter_fell" | "other_image" | "other_rules" => {
            (Tone::Bad, texts.refused, texts.counter_hint_refused)
        }
        "too_many" => (Tone::Warn, texts.refused, texts.too_many_hint),
        "outside_hours" => (Tone::Warn, texts.refused, texts.hours_hint),
        _ => (Tone::Bad, texts.refused, texts.refused_hint),
    };
    (tone, label, Some(hint))
}

fn is_of(signing: &ReleaseSigning, code: &str) -> bool {
    let word = signing.co_signer.as_ref();
    word.is_some_and(|word| word.code == code)
}

fn approve_command(
    project: &Project,
    counter: Option<i64>,
    texts: &'static Texts,
) -> impl IntoView + use<> {
    let counter = counter.unwrap_or_default();
    let command = format!(
        "gatehouse-cosigner approve {} {counter} --as NAME",
        project.id
    );
    view! { <CodeBlock label=texts.approve_command text=command /> }
}

#[cfg(test)]
mod tests {
    use gatehouse_types::Timestamp;

    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_project, demo_release, render},
    };

    fn html(release: &Release, signing: ReleaseSigning) -> String {
        let signed = Signed {
            project: demo_project(),
            signing,
        };
        let html = render(context(""), || section(release, &signed));
        assert_sound(&html);
        html
    }

    fn said(code: &str) -> ReleaseSigning {
        ReleaseSigning {
            release_counter: Some(12),
            crc32: Some(0xbeef),
            co_signer: Some(CoSignerWord {
                since: Timestamp(1_763_719_200_000),
                code: code.to_owned(),
                detail: "It says so.".to_owned(),
            }),
        }
    }

    #[test]
    fn the_facts_are_those_that_are_signed() {
        let release = Release {
            min_version: Some("0.9.0".to_owned()),
            allow_downgrade: true,
            ..demo_release(ReleaseState::Published)
        };
        let html = html(&release, said(CoSignerWord::SIGNED));
        for fact in [
            "<code>lamp</code>",
            "<code>1.0.2+b</code>",
            "<dd>12<br>",
            "esp32s3",
            "2048 bytes; it reads not one more",
            &"a".repeat(64),
            "<code>0000beef</code>",
            "0.9.0",
            "this release may go back",
            "<code>project/00000000-0000-0000-0000-000000000000</code>",
            "badge-good\">Signed<",
            "2025-11-21 10:00 UTC",
            "/admin/projects/lamp/keys",
        ] {
            assert!(html.contains(fact), "{fact}: {html}");
        }
    }

    #[test]
    fn what_the_cosigner_said_is_told_by_a_word_and_with_a_next_step() {
        let release = demo_release(ReleaseState::Published);
        for (code, badge, next_step) in [
            (
                CoSignerWord::UNREACHABLE,
                "bad\">Unreachable",
                "gatehouse-cosigner runs",
            ),
            (CoSignerWord::CLOCK, "warn\">Clocks differ", "NTP"),
            (
                "revoked",
                "bad\">Portal revoked",
                "no longer trusts this portal",
            ),
            (
                "unknown_portal",
                "bad\">Refused",
                "has the lines that do it",
            ),
            ("wrong_project", "bad\">Refused", "not for this project"),
            ("counter_fell", "bad\">Refused", "gets a higher counter"),
            ("too_many", "warn\">Refused", "so many an hour"),
            ("outside_hours", "warn\">Refused", "certain hours"),
            ("what_nobody_knows", "bad\">Refused", "Its words say why"),
        ] {
            let html = html(&release, said(code));
            assert!(html.contains(&format!("badge-{badge}<")), "{code}: {html}");
            assert!(
                html.contains(next_step) && html.contains("It says so."),
                "{code}: {html}"
            );
            assert!(!html.contains("approve 0000"), "{code}");
        }
    }

    #[test]
    fn an_approval_that_is_awaited_names_the_command() {
        let release = demo_release(ReleaseState::Published);
        let html = html(&release, said("awaits_approval"));
        let command = format!("approve {} 12 --as NAME", demo_project().id);
        assert!(html.contains("badge-busy\">Waits for approval<"), "{html}");
        assert!(html.contains(&command), "{html}");
    }

    #[test]
    fn what_is_not_signed_yet_or_any_more_is_said() {
        let nothing = || ReleaseSigning {
            release_counter: None,
            crc32: None,
            co_signer: None,
        };
        let draft = html(&demo_release(ReleaseState::Draft), nothing());
        assert!(draft.contains("Given when it is published"), "{draft}");
        assert!(draft.contains("Not asked yet") && draft.contains("Worked out when first signed"));
        let old = html(&demo_release(ReleaseState::Published), nothing());
        assert!(old.contains("an older portal published it"), "{old}");
        let withdrawn = html(&demo_release(ReleaseState::Withdrawn), said("signed"));
        assert!(
            withdrawn.contains("No longer signed since it was withdrawn"),
            "{withdrawn}"
        );
    }
}
