//! `/admin/projects/{project}/releases/{version}`

use gatehouse_core::Result;
use gatehouse_types::{
    Timestamp,
    firmware::{Release as Record, ReleaseState},
    limits,
};
use leptos::prelude::*;

use super::{
    loading::{loaded, path_value, typed},
    project::ask_command,
    projects::no_jwt_banner,
};
use crate::{
    components::{
        Button, Card, CodeBlock, Confirm, Fact, Facts, Look, Page, PostButton, PostForm, Section,
        StateBadge, TextArea, Time, size,
    },
    context::PageContext,
    format::fill,
    links,
    visit::Visit,
};

/// One release: its image, its state, and what a device gets.
#[component]
pub fn Release() -> impl IntoView {
    let visit = Visit::current();
    let project = path_value::<String>("project");
    let version = path_value::<String>("version");
    let load = async move { load(&visit, &project?, &version?) };
    loaded(load, |(release, public_url)| show(release, &public_url))
}

fn load(visit: &Visit, project: &str, version: &str) -> Result<(Record, String)> {
    let release = visit
        .portal
        .firmware
        .release(&visit.actor, project, version)?;
    Ok((release, visit.public_url.to_string()))
}

fn show(release: Record, public_url: &str) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().release;
    let names = [
        ("project", release.project.as_str()),
        ("version", release.version.as_str()),
    ];
    let title = fill(texts.title, &names);
    let up = (
        links::project(&release.project).into_url(),
        release.project.clone(),
    );
    let facts = facts(&release);
    let offer = offer(&release);
    let notes = notes_form(&release);
    let device_gets = device_gets(&release, public_url);
    view! {
        <Page title=title back=up>
            {no_jwt_banner()}
            {facts}
            <Section title=texts.state_title>{offer}</Section>
            <Section title=texts.checksums>
                <CodeBlock label="SHA-256" text=release.sha256 />
                <CodeBlock label="SHA-1" text=release.sha1 />
                <CodeBlock label="MD5" text=release.md5 />
            </Section>
            <Section title=texts.notes>
                <Card>{notes}</Card>
            </Section>
            <Section title=texts.device_gets>{device_gets}</Section>
        </Page>
    }
}

fn facts(release: &Record) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.release, &messages.common);
    let href = links::image(&release.project, &release.file_name).into_url();
    let moment = |term: &'static str, at: Option<Timestamp>| {
        at.map(|at| view! { <Fact term=term><Time at_ms=at.0 /></Fact> })
    };
    let moments = [
        moment(messages.project.uploaded_at, Some(release.created_at)),
        moment(texts.published_at, release.published_at),
        moment(texts.withdrawn_at, release.withdrawn_at),
    ];
    let (state, file_name, length) = (
        release.state,
        release.file_name.clone(),
        size(release.size_bytes),
    );
    view! {
        <Facts>
            <Fact term=common.state><StateBadge state=state.as_str() /></Fact>
            <Fact term=messages.project.file_name><code>{file_name}</code></Fact>
            <Fact term=common.size>{length}</Fact>
            {moments.into_iter().collect_view()}
        </Facts>
        <p><a href=href download="">{texts.download}</a></p>
    }
}

/// What the state means, and what may be done about it.
fn offer(release: &Record) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().release;
    let (meaning, is_draft) = match release.state {
        ReleaseState::Draft => (texts.draft_means, true),
        ReleaseState::Published => (texts.published_means, false),
        ReleaseState::Withdrawn => (texts.withdrawn_means, false),
    };
    let delete = is_draft.then(|| {
        view! {
            <Confirm
                summary=texts.delete_draft
                warning=fill(texts.remove_warning, &[("version", &release.version)])
                action="/api/ui/delete_release"
                button=texts.delete_draft
                extra=hidden(release)
            />
        }
    });
    view! {
        <p>{meaning}</p>
        {offer_switch(release)}
        {delete}
    }
}

/// Publishes what is not offered, withdraws what is.
pub(super) fn offer_switch(release: &Record) -> AnyView {
    let texts = &PageContext::current().messages().release;
    if release.state == ReleaseState::Published {
        return view! {
            <Confirm
                summary=texts.withdraw
                warning=fill(texts.withdraw_warning, &[("version", &release.version)])
                action="/api/ui/withdraw_release"
                button=texts.withdraw
                extra=hidden(release)
            />
        }
        .into_any();
    }
    view! {
        <PostButton action="/api/ui/publish_release" look=Look::Primary extra=hidden(release)>
            {texts.publish}
        </PostButton>
    }
    .into_any()
}

fn hidden(release: &Record) -> Vec<(&'static str, String)> {
    vec![
        ("project", release.project.clone()),
        ("version", release.version.clone()),
    ]
}

fn notes_form(release: &Record) -> impl IntoView + use<> {
    let page = PageContext::current();
    let messages = page.messages();
    let (project, version) = (release.project.clone(), release.version.clone());
    let notes = typed(&page, "notes", &release.notes);
    view! {
        <PostForm action="/api/ui/change_release">
            <input type="hidden" name="project" value=project />
            <input type="hidden" name="version" value=version />
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
    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_release, render},
    };

    fn page(state: ReleaseState, context: PageContext) -> String {
        render(context, || {
            show(demo_release(state), "https://gate.example")
        })
    }

    #[test]
    fn only_what_the_state_allows_is_on_offer() {
        let offers = |state| {
            let html = page(state, context(""));
            assert_sound(&html);
            ["publish", "withdraw", "delete"]
                .map(|verb| html.contains(&format!("/api/ui/{verb}_release")))
        };
        assert_eq!(offers(ReleaseState::Draft), [true, false, true]);
        assert_eq!(offers(ReleaseState::Published), [false, true, false]);
        assert_eq!(offers(ReleaseState::Withdrawn), [true, false, false]);
    }

    #[test]
    fn the_command_asks_for_a_token_only_where_one_is_needed() {
        let fetch = |html: &str| {
            html.split("curl -fO")
                .nth(1)
                .unwrap()
                .contains("Authorization")
        };
        assert!(fetch(&page(ReleaseState::Published, context(""))));
        assert!(!fetch(&page(
            ReleaseState::Published,
            PageContext {
                no_jwt: true,
                ..context("")
            }
        )));
    }
}
