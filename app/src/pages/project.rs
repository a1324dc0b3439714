//! `/admin/projects/{project}`

use gatehouse_core::Result;
use gatehouse_types::{
    Page as Part, PageQuery, Timestamp,
    firmware::{Project as Record, Release},
};
use leptos::prelude::*;

use super::{
    connect::{PLACEHOLDERS, connect},
    devices::last_seen,
    image_alarm::{damaged_versions, image_alarm},
    loading::{loaded, path_value},
    project_guide::first_steps,
    project_settings::{FreshToken, fresh_gateway_token, settings, take_fresh},
    projects::{no_jwt_banner, release_link},
    release_offer::next_step,
};
use crate::{
    components::{
        ButtonLink, DataTable, EmptyState, Fact, Facts, IslandScripts, Look, Meter, NextPage, Page,
        Section, StateBadge, Time, size,
    },
    context::PageContext,
    format::fill,
    links,
    visit::Visit,
};

/// So many versions get a bar of their own; the older ones share one.
const BARS: usize = 8;

struct Found {
    project: Record,
    published: Option<String>,
    releases: Part<Release>,
    /// How many devices run each version; `None` is a device that never said.
    versions: Vec<(Option<String>, i64)>,
    /// Devices heard of within a day, and the newest word of any.
    heard_of: (i64, Option<Timestamp>),
    fresh: FreshToken,
    damaged: Vec<String>,
    public_url: String,
}

/// One project: what to do next, its releases, what its devices run, and its settings.
#[component]
pub fn Project() -> impl IntoView {
    let visit = Visit::current();
    let page = PageContext::current();
    let name = path_value::<String>("project");
    loaded(async move { load(&visit, &page, &name?).await }, show)
}

async fn load(visit: &Visit, page: &PageContext, name: &str) -> Result<Found> {
    let (firmware, actor) = (&visit.portal.firmware, &visit.actor);
    let after = page.query_value("after");
    Ok(Found {
        project: firmware.project(actor, name)?,
        published: firmware.published_versions(actor, name)?.pop(),
        releases: firmware.list_releases(actor, name, &PageQuery { limit: None, after })?,
        versions: firmware.versions_in_field(actor, name).await?,
        heard_of: firmware.heard_of(actor, name).await?,
        fresh: take_fresh(visit, page),
        damaged: damaged_versions(visit, name)?,
        public_url: visit.public_url.to_string(),
    })
}

fn show(found: Found) -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.project;
    let Found {
        project,
        published,
        releases,
        versions,
        heard_of,
        fresh,
        damaged,
        public_url,
    } = found;
    let up = (
        links::projects().into_url(),
        messages.projects.title.to_owned(),
    );
    let upload = links::upload(&project.name).into_url();
    let devices = links::devices(&project.name).into_url();
    let keys = links::keys(&project.name).into_url();
    let all: i64 = versions.iter().map(|(_, count)| count).sum();
    let was_heard = heard_of.1.is_some();
    let steps = first_steps(&project, &releases.items, all, was_heard);
    let alarm = image_alarm(&project.name, &damaged);
    let facts = facts(&project, published, all, heard_of);
    let releases = release_list(&project, releases);
    let field = field(&project.name, versions, all);
    let connect = connect(&public_url, &project.name, &PLACEHOLDERS);
    let settings = settings(&project);
    view! {
        <Page title=project.title intro=project.description back=up>
            <IslandScripts />
            {no_jwt_banner()}
            {alarm}
            {fresh_gateway_token(fresh)}
            {steps}
            {facts}
            <p class="row">
                <ButtonLink href=upload look=Look::Plain>{texts.upload}</ButtonLink>
                <ButtonLink href=devices look=Look::Plain>{texts.devices}</ButtonLink>
                <ButtonLink href=keys look=Look::Plain>{messages.keys.link}</ButtonLink>
            </p>
            <Section title=texts.releases>{releases}</Section>
            <Section title=texts.versions_in_field>{field}</Section>
            <Section title=messages.connect.title>
                <p>{messages.connect.hint}</p>
                {connect}
            </Section>
            {settings}
        </Page>
    }
}

fn facts(
    project: &Record,
    published: Option<String>,
    devices: i64,
    (heard_of, newest): (i64, Option<Timestamp>),
) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let (texts, own) = (&messages.projects, &messages.project);
    let hardware = match project.hardware.as_slice() {
        [] => texts.any_hardware.to_owned(),
        chips => chips.join(", "),
    };
    let (name, created_at) = (project.name.clone(), project.created_at);
    let published = release_link(&name, published);
    let (n, all) = (heard_of.to_string(), devices.to_string());
    let heard = fill(own.heard_of, &[("n", &n), ("all", &all)]);
    view! {
        <Facts>
            <Fact term=texts.name><code>{name}</code></Fact>
            <Fact term=texts.hardware>{hardware}</Fact>
            <Fact term=texts.latest>{published}</Fact>
            <Fact term=own.devices_count>{devices}</Fact>
            <Fact term=own.heard>{heard}</Fact>
            <Fact term=own.newest_word>{last_seen(newest)}</Fact>
            <Fact term=messages.common.created_at><Time at_ms=created_at.0 /></Fact>
        </Facts>
    }
}

fn release_list(project: &Record, releases: Part<Release>) -> AnyView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.project, &messages.common);
    if releases.items.is_empty() {
        let upload = links::upload(&project.name).into_url();
        return view! {
            <EmptyState title=texts.no_releases_title hint=texts.no_releases_hint>
                <ButtonLink href=upload>{texts.upload}</ButtonLink>
            </EmptyState>
        }
        .into_any();
    }
    let next = releases.next.map(|after| {
        let way = links::project(&project.name);
        way.with("after", &after).into_url()
    });
    let heads = vec![
        texts.version,
        texts.file_name,
        common.size,
        common.state,
        texts.uploaded_at,
        common.actions,
    ];
    let row = |release| release_row(release, project.two_person_approval);
    let rows = releases.items.iter().map(row).collect_view();
    view! {
        <DataTable caption=texts.releases heads=heads>{rows}</DataTable>
        <NextPage href=next />
    }
    .into_any()
}

fn release_row(release: &Release, two_persons: bool) -> impl IntoView + use<> {
    view! {
        <tr>
            <td>{release_link(&release.project, Some(release.version.clone()))}</td>
            <td><code>{release.file_name.clone()}</code></td>
            <td class="figure">{size(release.size_bytes)}</td>
            <td><StateBadge state=release.state.as_str() /></td>
            <td><Time at_ms=release.created_at.0 /></td>
            <td>{next_step(release, two_persons)}</td>
        </tr>
    }
}

fn field(project: &str, versions: Vec<(Option<String>, i64)>, total: i64) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().project;
    let href = links::devices(project).into_url();
    if total == 0 {
        return view! {
            <EmptyState title=texts.no_devices_title hint=texts.no_devices_hint>
                <ButtonLink href=href>{texts.add_device}</ButtonLink>
            </EmptyState>
        }
        .into_any();
    }
    let all = fill(texts.all_devices, &[("n", &total.to_string())]);
    view! {
        {bars(&versions, total)}
        {bars_as_table(versions, total)}
        <p><a href=href>{all}</a></p>
    }
    .into_any()
}

fn bars(versions: &[(Option<String>, i64)], total: i64) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().project;
    let (own, others) = versions.split_at(versions.len().min(BARS));
    let older: i64 = others.iter().map(|(_, count)| count).sum();
    let rest = (older > 0).then(|| (texts.older.to_owned(), older));
    own.iter()
        .map(|(version, count)| (version_word(version.as_ref()), *count))
        .chain(rest)
        .map(|(label, count)| view! { <Meter label=label value=count max=total /> })
        .collect_view()
}

fn bars_as_table(versions: Vec<(Option<String>, i64)>, total: i64) -> impl IntoView {
    let texts = &PageContext::current().messages().project;
    let rows = versions
        .into_iter()
        .map(|(version, count)| {
            let share = format!("{} %", count * 100 / total.max(1));
            let version = version_word(version.as_ref());
            view! {
                <tr>
                    <td>{version}</td>
                    <td class="figure">{count}</td>
                    <td class="figure">{share}</td>
                </tr>
            }
        })
        .collect_view();
    let heads = vec![texts.version, texts.devices, texts.share];
    view! {
        <details class="more">
            <summary>{texts.as_table}</summary>
            <DataTable caption=texts.versions_in_field heads=heads>{rows}</DataTable>
        </details>
    }
}

fn version_word(version: Option<&String>) -> String {
    let silent = PageContext::current().messages().project.never_said;
    version.map_or_else(|| silent.to_owned(), Clone::clone)
}

#[cfg(test)]
mod tests {
    use gatehouse_types::firmware::ReleaseState;

    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_project, demo_release, render},
    };

    fn found(releases: Vec<Release>, versions: Vec<(Option<String>, i64)>) -> Found {
        Found {
            project: demo_project(),
            published: None,
            releases: Part {
                items: releases,
                next: None,
            },
            versions,
            heard_of: (0, None),
            fresh: FreshToken::NotAsked,
            damaged: Vec::new(),
            public_url: "https://gate.example".to_owned(),
        }
    }

    fn page(found: Found) -> String {
        let html = render(context(""), || show(found));
        assert_sound(&html);
        html
    }

    #[test]
    fn versions_in_the_field_are_drawn_with_a_table_behind() {
        let versions = vec![(Some("1.0.2".to_owned()), 3), (None, 1)];
        let html = page(found(vec![demo_release(ReleaseState::Draft)], versions));
        assert!(
            html.contains("value=\"3\" max=\"4\"") && html.contains("value=\"1\" max=\"4\""),
            "{html}"
        );
        assert!(html.contains("75 %") && html.contains("All 4 devices"));
        assert!(html.contains("/admin/projects/lamp/releases/1.0.2%2Bb"));
    }

    #[test]
    fn many_versions_share_the_last_bar() {
        let versions = (0..20).map(|minor| (Some(format!("1.{minor}.0")), 1));
        let html = page(found(Vec::new(), versions.collect()));
        assert_eq!(html.matches("<progress").count(), BARS + 1, "{html}");
        assert!(html.contains("value=\"12\" max=\"20\"") && html.contains("Older versions"));
    }

    #[test]
    fn a_new_project_says_what_to_do_next() {
        let html = page(found(Vec::new(), Vec::new()));
        assert!(
            html.contains("/admin/projects/lamp/upload")
                && html.contains("/admin/projects/lamp/devices")
        );
        assert!(html.contains("aria-current=\"step\""), "{html}");
        assert!(!html.contains("<table") && !html.contains("<progress"));
    }

    #[test]
    fn a_gateway_token_is_shown_once_and_said_to_be_gone_later() {
        let with = |fresh| {
            let found = found(Vec::new(), Vec::new());
            page(Found { fresh, ..found })
        };
        assert!(with(FreshToken::Here("g0".to_owned())).contains("<code>g0</code>"));
        assert!(with(FreshToken::Gone).contains("This token was shown already"));
        assert!(!with(FreshToken::NotAsked).contains("This token was shown already"));
    }
}
