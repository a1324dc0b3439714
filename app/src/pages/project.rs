//! `/admin/projects/{project}`

use gatehouse_core::Result;
use gatehouse_types::{
    Page as Part, PageQuery,
    firmware::{Project as Record, Release},
    limits,
};
use leptos::prelude::*;

use super::{
    loading::{loaded, path_value, typed},
    projects::{no_jwt_banner, release_link, text_fields},
    release::offer_switch,
};
use crate::{
    components::{
        Button, ButtonLink, Card, CodeBlock, Confirm, DataTable, EmptyState, Fact, Facts, Look,
        Meter, NextPage, Page, PostForm, Section, StateBadge, TextField, Time, size,
    },
    context::PageContext,
    format::fill,
    forms::Way,
    links,
    visit::Visit,
};

struct Found {
    project: Record,
    published: Option<String>,
    releases: Part<Release>,
    /// How many devices run each version; `None` is a device that never said.
    versions: Vec<(Option<String>, i64)>,
    public_url: String,
}

/// One project: its releases, what its devices run, and its settings.
#[component]
pub fn Project() -> impl IntoView {
    let visit = Visit::current();
    let name = path_value::<String>("project");
    let after = PageContext::current().query_value("after");
    loaded(async move { load(&visit, &name?, after).await }, show)
}

async fn load(visit: &Visit, name: &str, after: Option<String>) -> Result<Found> {
    let (firmware, actor) = (&visit.portal.firmware, &visit.actor);
    Ok(Found {
        project: firmware.project(actor, name)?,
        published: firmware.published_versions(actor, name)?.pop(),
        releases: firmware.list_releases(actor, name, &PageQuery { limit: None, after })?,
        versions: firmware.versions_in_field(actor, name).await?,
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
        public_url,
    } = found;
    let up = (
        links::projects().into_url(),
        messages.projects.title.to_owned(),
    );
    let upload = links::upload(&project.name).into_url();
    let devices = links::devices(&project.name).into_url();
    let facts = facts(&project, published);
    let releases = release_list(&project.name, releases);
    let field = field(&project.name, versions);
    let ask = ask_command(&public_url, "$TOKEN", "1.0.0");
    let settings = settings(&project);
    view! {
        <Page title=project.title intro=project.description back=up>
            {no_jwt_banner()}
            {facts}
            <p class="row">
                <ButtonLink href=upload>{texts.upload}</ButtonLink>
                <ButtonLink href=devices look=Look::Plain>{texts.devices}</ButtonLink>
            </p>
            <Section title=texts.releases>{releases}</Section>
            <Section title=texts.versions_in_field>{field}</Section>
            <Section title=texts.ask_title>
                <p>{texts.ask_hint}</p>
                <CodeBlock label=texts.ask_label text=ask />
            </Section>
            <Section title=texts.settings>{settings}</Section>
        </Page>
    }
}

fn facts(project: &Record, published: Option<String>) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let texts = &messages.projects;
    let hardware = match project.hardware.as_slice() {
        [] => texts.any_hardware.to_owned(),
        chips => chips.join(", "),
    };
    let (name, created_at) = (project.name.clone(), project.created_at);
    let published = release_link(&name, published);
    view! {
        <Facts>
            <Fact term=texts.name><code>{name}</code></Fact>
            <Fact term=texts.hardware>{hardware}</Fact>
            <Fact term=texts.latest>{published}</Fact>
            <Fact term=messages.common.created_at><Time at_ms=created_at.0 /></Fact>
        </Facts>
    }
}

fn release_list(project: &str, releases: Part<Release>) -> AnyView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.project, &messages.common);
    if releases.items.is_empty() {
        let upload = links::upload(project).into_url();
        return view! {
            <EmptyState title=texts.no_releases_title hint=texts.no_releases_hint>
                <ButtonLink href=upload>{texts.upload}</ButtonLink>
            </EmptyState>
        }
        .into_any();
    }
    let next = releases
        .next
        .map(|after| links::project(project).with("after", &after).into_url());
    let heads = vec![
        texts.version,
        texts.file_name,
        common.size,
        common.state,
        texts.uploaded_at,
        common.actions,
    ];
    let rows = releases.items.iter().map(release_row).collect_view();
    view! {
        <DataTable caption=texts.releases heads=heads>{rows}</DataTable>
        <NextPage href=next />
    }
    .into_any()
}

fn release_row(release: &Release) -> impl IntoView + use<> {
    view! {
        <tr>
            <td>{release_link(&release.project, Some(release.version.clone()))}</td>
            <td><code>{release.file_name.clone()}</code></td>
            <td class="figure">{size(release.size_bytes)}</td>
            <td><StateBadge state=release.state.as_str() /></td>
            <td><Time at_ms=release.created_at.0 /></td>
            <td>{offer_switch(release)}</td>
        </tr>
    }
}

fn field(project: &str, versions: Vec<(Option<String>, i64)>) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().project;
    let href = links::devices(project).into_url();
    let total: i64 = versions.iter().map(|(_, count)| count).sum();
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
        {bars_as_table(versions)}
        <p><a href=href>{all}</a></p>
    }
    .into_any()
}

fn bars(versions: &[(Option<String>, i64)], total: i64) -> impl IntoView + use<> {
    let silent = PageContext::current().messages().project.never_said;
    versions
        .iter()
        .map(|(version, count)| {
            let label = version.clone().unwrap_or_else(|| silent.to_owned());
            view! { <Meter label=label value=*count max=total /> }
        })
        .collect_view()
}

fn bars_as_table(versions: Vec<(Option<String>, i64)>) -> impl IntoView {
    let texts = &PageContext::current().messages().project;
    let rows = versions
        .into_iter()
        .map(|(version, count)| {
            let version = version.unwrap_or_else(|| texts.never_said.to_owned());
            view! { <tr><td>{version}</td><td class="figure">{count}</td></tr> }
        })
        .collect_view();
    view! {
        <details>
            <summary>{texts.as_table}</summary>
            <DataTable caption=texts.versions_in_field heads=vec![texts.version, texts.devices]>{rows}</DataTable>
        </details>
    }
}

/// The command with which a device, or somebody in its place, asks what to install.
pub(super) fn ask_command(public_url: &str, token: &str, current_fw: &str) -> String {
    let url = Way::to(format!("{public_url}/api/v1/device/update")).with("current_fw", current_fw);
    format!(
        "curl -i -H \"Authorization: Bearer {token}\" \\\n  \"{}\"",
        url.into_url()
    )
}

fn settings(project: &Record) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let texts = &messages.project;
    let name = project.name.clone();
    let title = typed(&page, "title", &project.title);
    let others = text_fields(&page, &project.description, &project.hardware.join(", "));
    view! {
        <Card>
            <PostForm action="/api/ui/change_project">
                <input type="hidden" name="project" value=name />
                <TextField
                    name="title"
                    label=messages.projects.title_field
                    value=title
                    required=true
                    max_chars=limits::NAME_MAX_CHARS
                />
                {others}
                <Button>{messages.common.save}</Button>
            </PostForm>
        </Card>
        <Confirm
            summary=texts.remove
            warning=fill(texts.remove_warning, &[("project", &project.title)])
            action="/api/ui/remove_project"
            button=texts.remove
            extra=vec![("project", project.name.clone())]
        />
    }
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
            public_url: "https://gate.example".to_owned(),
        }
    }

    #[test]
    fn versions_in_the_field_are_drawn_with_a_table_behind() {
        let versions = vec![(Some("1.0.2".to_owned()), 3), (None, 1)];
        let html = render(context(""), || {
            show(found(vec![demo_release(ReleaseState::Draft)], versions))
        });
        assert!(
            html.contains("value=\"3\" max=\"4\"") && html.contains("value=\"1\" max=\"4\""),
            "{html}"
        );
        assert!(html.contains("<details>") && html.contains("All 4 devices"));
        assert!(html.contains("/admin/projects/lamp/releases/1.0.2%2Bb"));
        assert_sound(&html);
    }

    #[test]
    fn a_new_project_says_what_to_do_next() {
        let html = render(context(""), || show(found(Vec::new(), Vec::new())));
        assert!(
            html.contains("/admin/projects/lamp/upload")
                && html.contains("/admin/projects/lamp/devices")
        );
        assert!(
            !html.contains("<table") && !html.contains("<progress"),
            "{html}"
        );
        assert_sound(&html);
    }

    #[test]
    fn the_command_encodes_the_version() {
        let command = ask_command("https://gate.example", "T", "1.0.0+a");
        assert!(
            command.ends_with("\"https://gate.example/api/v1/device/update?current_fw=1.0.0%2Ba\""),
            "{command}"
        );
    }
}
