//! `/admin/projects/{project}/releases/{version}`

use gatehouse_core::Result;
use gatehouse_types::{
    Timestamp,
    firmware::Release as Record,
    rollout::{Channel, RolloutProgress},
};
use leptos::prelude::*;

use super::{
    connect::ask_command,
    image_alarm::{damaged_versions, image_alarm},
    loading::{loaded, path_value},
    projects::no_jwt_banner,
    release_chart, release_devices,
    release_forms::{notes_form, rules_form},
    release_image::image_section,
    release_offer::offer,
    release_rollout,
    release_signing::{self, Signed},
};
use crate::{
    components::{
        Card, CodeBlock, Fact, Facts, KeptFresh, LivePart, Page, PolledUpdates, Section,
        StateBadge, Time, size,
    },
    context::PageContext,
    format::fill,
    links,
    visit::Visit,
};

struct Found {
    release: Record,
    signed: Signed,
    progress: RolloutProgress,
    groups: Vec<(String, i64)>,
    devices: release_devices::Listed,
    damaged: Vec<String>,
    public_url: String,
}

/// One release: its image, its rollout, and what a device gets.
#[component]
pub fn Release() -> impl IntoView {
    let visit = Visit::current();
    let page = PageContext::current();
    let project = path_value::<String>("project");
    let version = path_value::<String>("version");
    let load = async move { load(&visit, &page, &project?, &version?).await };
    loaded(load, show)
}

async fn load(visit: &Visit, page: &PageContext, project: &str, version: &str) -> Result<Found> {
    let (firmware, actor) = (&visit.portal.firmware, &visit.actor);
    Ok(Found {
        release: firmware.release(actor, project, version)?,
        signed: release_signing::load(visit, project, version)?,
        progress: firmware.rollout_progress(actor, project, version).await?,
        groups: firmware.device_groups(actor, project).await?,
        devices: release_devices::load(visit, page, project, version).await?,
        damaged: damaged_versions(visit, project)?,
        public_url: visit.public_url.to_string(),
    })
}

fn show(found: Found) -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.release;
    let names = [
        ("project", found.release.project.as_str()),
        ("version", found.release.version.as_str()),
    ];
    let title = fill(texts.title, &names);
    let up = (
        links::project(&found.release.project).into_url(),
        found.release.project.clone(),
    );
    let under_way = release_rollout::under_way(&found.progress);
    let two_persons = found.signed.project.two_person_approval;
    let offer = offer(&found.release, two_persons, under_way);
    let signing = part("signing", release_signing::rev(&found.signed));
    let checks = release_signing::section(&found.release, &found.signed);
    let release = found.release.clone();
    let own = |version: &&String| **version == release.version;
    let damaged: Vec<String> = found.damaged.iter().filter(own).cloned().collect();
    let alarm = image_alarm(&release.project, &damaged);
    let device_gets = device_gets(&release, &found.public_url);
    let (facts, image) = (facts(&release), image_section(&release));
    let (rules, notes) = (rules_form(&release), notes_form(&release));
    view! {
        <Page title=title back=up>
            {no_jwt_banner()}
            {alarm}
            {facts}
            <Section title=texts.state_title>{offer}</Section>
            {rollout(found)}
            {image}
            <KeptFresh part=signing>{checks}</KeptFresh>
            <Section title=messages.rollout.rules>
                <Card>{rules}</Card>
            </Section>
            <Section title=texts.notes>
                <Card>{notes}</Card>
            </Section>
            <Section title=texts.checksums>
                <CodeBlock label="SHA-256" text=release.sha256 />
                <CodeBlock label="SHA-1" text=release.sha1 />
                <CodeBlock label="MD5" text=release.md5 />
            </Section>
            <Section title=texts.device_gets>{device_gets}</Section>
        </Page>
    }
}

fn rollout(found: Found) -> impl IntoView {
    let texts = &PageContext::current().messages().rollout;
    let Found {
        release,
        progress,
        groups,
        devices,
        ..
    } = found;
    let standing_rev = release_rollout::rev(&progress);
    let standing = part("standing", standing_rev.clone());
    let standing = LivePart {
        says: Some(release_rollout::summary(&progress)),
        ..standing
    };
    let rows = part(
        "devices",
        format!("{standing_rev}{}", release_devices::rev(&devices)),
    );
    let has_history = !progress.history.is_empty();
    let names = (release.project.as_str(), release.version.as_str());
    let table = has_history.then(|| {
        let figures = release_chart::table(&progress.history);
        view! { <KeptFresh part=part("figures", standing_rev)>{figures}</KeptFresh> }
    });
    let list = has_history.then(|| {
        let list = release_devices::list(names, devices, &progress.counts);
        view! {
            <Section title=texts.devices>
                <KeptFresh part=rows>{list}</KeptFresh>
            </Section>
        }
    });
    let now = release_rollout::standing(&release, &progress);
    let control = release_rollout::control(&release, &progress, &groups);
    view! {
        {release_chart::textures()}
        <Section title=texts.title>
            <KeptFresh part=standing>{now}</KeptFresh>
            {table}
            {control}
        </Section>
        {list}
        <PolledUpdates />
    }
}

fn part(name: &str, rev: String) -> LivePart {
    LivePart {
        name: name.to_owned(),
        rev,
        says: None,
    }
}

fn facts(release: &Record) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let (texts, common, rollout) = (&messages.release, &messages.common, &messages.rollout);
    let href = links::image(&release.project, &release.file_name).into_url();
    let moment = |term: &'static str, at: Option<Timestamp>| {
        at.map(|at| view! { <Fact term=term><Time at_ms=at.0 /></Fact> })
    };
    let moments = [
        moment(messages.project.uploaded_at, Some(release.created_at)),
        moment(texts.published_at, release.published_at),
        moment(texts.withdrawn_at, release.withdrawn_at),
    ];
    let person = |term: &'static str, email: Option<String>| {
        email.map(|email| view! { <Fact term=term>{email}</Fact> })
    };
    let approval = &release.approval;
    let was_published = release.published_at.is_some();
    let publisher = approval.requested_by_email.clone();
    let people = [
        person(rollout.published_by, publisher.filter(|_| was_published)),
        person(rollout.approved_by, approval.approved_by_email.clone()),
    ];
    let (state, channel) = (release.state, channel_word(release.channel));
    let (file_name, length) = (release.file_name.clone(), size(release.size_bytes));
    view! {
        <Facts>
            <Fact term=common.state><StateBadge state=state.as_str() /></Fact>
            <Fact term=rollout.channel>{channel}</Fact>
            <Fact term=messages.project.file_name><code>{file_name}</code></Fact>
            <Fact term=common.size>{length}</Fact>
            {moments.into_iter().collect_view()}
            {people.into_iter().collect_view()}
        </Facts>
        <p><a href=href download="">{texts.download}</a></p>
    }
}

/// What people call a channel.
pub(super) fn channel_word(channel: Channel) -> &'static str {
    let texts = &PageContext::current().messages().rollout;
    match channel {
        Channel::Stable => texts.stable,
        Channel::Beta => texts.beta,
    }
}

fn device_gets(release: &Record, public_url: &str) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let texts = &messages.release;
    let needs_token = if page.no_jwt {
        ""
    } else {
        "-H \"Authorization: Bearer $TOKEN\" "
    };
    let image = links::image(&release.project, &release.file_name).into_url();
    let download = format!("curl -fO {needs_token}\\\n  \"{public_url}{image}\"");
    view! {
        <p>{texts.device_gets_hint}</p>
        <CodeBlock label=messages.project.ask_label text=ask_command(public_url, "$TOKEN", "0.0.0") />
        <CodeBlock label=texts.fetch_label text=download />
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_types::{
        firmware::ReleaseState,
        manifest::ReleaseSigning,
        rollout::{Action, ActionState, Halt, Rollout, RolloutPlan, RolloutPoint, StateCount},
    };
    use uuid::Uuid;

    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_action, demo_project, demo_release, render},
    };

    fn found(release: Record, states: &[(ActionState, i64)]) -> Found {
        let counts: Vec<StateCount> = states
            .iter()
            .map(|(state, devices)| StateCount {
                state: *state,
                devices: *devices,
            })
            .collect();
        let point = RolloutPoint {
            at: Timestamp(0),
            counts: counts.clone(),
        };
        let row = |(state, _): &(ActionState, i64)| {
            let action = Action {
                state: *state,
                device_id: Uuid::from_u128(9),
                ..demo_action()
            };
            ("Hall".to_owned(), action)
        };
        Found {
            signed: Signed {
                project: demo_project(),
                signing: ReleaseSigning {
                    release_counter: None,
                    crc32: None,
                    co_signer: None,
                },
            },
            groups: vec![("canary".to_owned(), 2)],
            devices: release_devices::Listed {
                state: None,
                rows: states.iter().map(row).collect(),
                next: Some("next".to_owned()),
            },
            progress: RolloutProgress {
                rollout: release.rollout.clone(),
                devices: 8,
                history: if states.is_empty() {
                    Vec::new()
                } else {
                    vec![point]
                },
                counts,
            },
            release,
            damaged: Vec::new(),
            public_url: "https://gate.example".to_owned(),
        }
    }

    fn page(found: Found, context: PageContext) -> String {
        let html = render(context, || show(found));
        assert_sound(&html);
        html
    }

    #[test]
    fn a_rollout_shows_its_figures_and_its_devices_by_state() {
        let states = [(ActionState::Succeeded, 3), (ActionState::Installing, 1)];
        let release = demo_release(ReleaseState::Published);
        let html = page(found(release, &states), context(""));
        assert!(html.contains("3 of 8 devices have it"), "{html}");
        assert!(html.contains("1 devices are under way and are told to stop"));
        let release_url = "/admin/projects/lamp/releases/1.0.2%2Bb";
        assert!(html.contains(&format!("{release_url}?state=installing")));
        assert!(html.contains(&format!("{release_url}?after=next")));
        assert!(html.contains("canary (2)"));
        for part in ["standing", "figures", "devices"] {
            assert!(html.contains(&format!("data-live=\"{part}\"")), "{part}");
        }
    }

    #[test]
    fn a_halted_rollout_says_why_and_what_to_do() {
        let halted = Some(Halt {
            at: Timestamp(0),
            failed: 3,
            finished: 7,
        });
        let release = Record {
            rollout: Rollout {
                halted,
                ..Rollout::default()
            },
            ..demo_release(ReleaseState::Published)
        };
        let html = page(found(release, &[(ActionState::Failed, 3)]), context(""));
        assert!(html.contains("3 of 7 devices failed"), "{html}");
        assert!(html.contains("/api/ui/resume_rollout") && html.contains("Let it go on"));
        assert!(!html.contains("/api/ui/pause_rollout"));
    }

    #[test]
    fn a_plan_is_told_in_words_and_a_refused_one_comes_back_open() {
        let plan = RolloutPlan {
            percent: 10,
            groups: vec!["canary".to_owned(), "hall".to_owned()],
            starts_at: Some(Timestamp(1_763_719_200_000)),
            window: Some(gatehouse_types::rollout::HourWindow {
                from_hour: 22,
                to_hour: 6,
            }),
            ..RolloutPlan::default()
        };
        let release = Record {
            rollout: Rollout {
                plan,
                ..Rollout::default()
            },
            ..demo_release(ReleaseState::Draft)
        };
        let html = page(found(release.clone(), &[]), context(""));
        for words in [
            "The group canary has its turn, 1 of 2",
            "10 % of the devices outside the groups",
            "before 2025-11-21 10:00 UTC",
            "from 22:00 to 06:00 UTC",
            "value=\"2025-11-21T10:00\"",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(!html.contains(" open"), "{html}");
        let query = "error=invalid&field=plan.window&percent=33";
        let refused = page(found(release, &[]), context(query));
        assert!(refused.contains(" open") && refused.contains("Choose two different hours"));
        assert!(refused.contains("value=\"33\""));
    }

    #[test]
    fn the_command_asks_for_a_token_only_where_one_is_needed() {
        let fetch = |context| {
            let release = demo_release(ReleaseState::Published);
            let html = page(found(release, &[]), context);
            let fetch = html.split("curl -fO").nth(1).unwrap().to_owned();
            fetch.contains("Authorization")
        };
        assert!(fetch(context("")));
        assert!(!fetch(PageContext {
            no_jwt: true,
            ..context("")
        }));
    }
}
