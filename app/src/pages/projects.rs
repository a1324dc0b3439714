//! `/admin/projects`

use gatehouse_core::Result;
use gatehouse_types::{PageQuery, firmware::Project, limits};
use leptos::prelude::*;

use super::loading::{loaded, typed};
use crate::{
    components::{
        Banner, Button, Card, DataTable, EmptyState, NextPage, Page, PostForm, Section, TextArea,
        TextField, Time, Tone,
    },
    context::PageContext,
    links,
    visit::Visit,
};

struct Listed {
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    project: Project,
    published: Option<String>,
}

/// All projects, and the form that makes one.
#[component]
pub fn Projects() -> impl IntoView {
    let visit = Visit::current();
    let after = PageContext::current().query_value("after");
    loaded(async move { load(&visit, after) }, show)
}

fn load(visit: &Visit, after: Option<String>) -> Result<Listed> {
    let firmware = &visit.portal.firmware;
    let listed = firmware.list_projects(&visit.actor, &PageQuery { limit: None, after })?;
    let with_published = |project: Project| {
        let published = firmware
            .published_versions(&visit.actor, &project.name)?
            .pop();
        Ok(Row { project, published })
    };
    let rows = listed
        .items
        .into_iter()
        .map(with_published)
        .collect::<Result<_>>()?;
    Ok(Listed {
        rows,
        next: listed.next,
    })
}

fn show(listed: Listed) -> impl IntoView {
    let texts = &PageContext::current().messages().projects;
    let next = listed
        .next
        .map(|after| links::projects().with("after", &after).into_url());
    let list = if listed.rows.is_empty() {
        first_steps().into_any()
    } else {
        table(listed.rows).into_any()
    };
    view! {
        <Page title=texts.title intro=texts.intro>
            {no_jwt_banner()}
            {list}
            <NextPage href=next />
            <Section title=texts.add>
                <Card>{create_form()}</Card>
            </Section>
        </Page>
    }
}

/// Says on every page about firmware that images are free for all, when they are.
pub(super) fn no_jwt_banner() -> impl IntoView {
    let page = PageContext::current();
    let warning = page.messages().nav.no_jwt;
    page.no_jwt
        .then(|| view! { <Banner tone=Tone::Warn>{warning}</Banner> })
}

fn first_steps() -> impl IntoView {
    let texts = &PageContext::current().messages().projects;
    view! {
        <EmptyState title=texts.empty_title hint=texts.empty_hint>
            <ol>
                <li>{texts.step_project}</li>
                <li>{texts.step_upload}</li>
                <li>{texts.step_publish}</li>
            </ol>
        </EmptyState>
    }
}

fn table(rows: Vec<Row>) -> impl IntoView {
    let messages = PageContext::current().messages();
    let texts = &messages.projects;
    let heads = vec![
        texts.title_field,
        texts.name,
        texts.hardware,
        texts.latest,
        messages.common.created_at,
    ];
    let rows = rows.into_iter().map(row).collect_view();
    view! { <DataTable caption=texts.caption heads=heads>{rows}</DataTable> }
}

fn row(Row { project, published }: Row) -> impl IntoView {
    let published = release_link(&project.name, published);
    let href = links::project(&project.name).into_url();
    view! {
        <tr>
            <td><a href=href>{project.title}</a></td>
            <td><code>{project.name}</code></td>
            <td>{project.hardware.join(", ")}</td>
            <td>{published}</td>
            <td><Time at_ms=project.created_at.0 /></td>
        </tr>
    }
}

/// A version that leads to its release, or the word for none.
pub(super) fn release_link(project: &str, version: Option<String>) -> AnyView {
    let none = PageContext::current().messages().common.none;
    match version {
        Some(version) => {
            let href = links::release(project, &version).into_url();
            view! { <a href=href><code>{version}</code></a> }.into_any()
        }
        None => view! { <span class="muted">{none}</span> }.into_any(),
    }
}

fn create_form() -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().projects;
    view! {
        <PostForm action="/api/ui/create_project">
            <TextField
                name="project"
                label=texts.name
                hint=texts.name_hint
                value=typed(&page, "project", "")
                pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*"
                required=true
                max_chars=limits::PROJECT_NAME_MAX_BYTES
                mono=true
            />
            <TextField
                name="title"
                label=texts.title_field
                hint=texts.title_hint
                value=typed(&page, "title", "")
                max_chars=limits::NAME_MAX_CHARS
            />
            {text_fields(&page, "", "")}
            <Button>{texts.add}</Button>
        </PostForm>
    }
}

/// The fields of a project that may be empty, for the forms that make and change one.
pub(super) fn text_fields(
    page: &PageContext,
    description: &str,
    hardware: &str,
) -> impl IntoView + use<> {
    let messages = page.messages();
    view! {
        <TextArea
            name="description"
            label=messages.common.description
            value=typed(page, "description", description)
            max_chars=limits::TEXT_MAX_CHARS
        />
        <TextField
            name="hardware"
            label=messages.projects.hardware
            hint=messages.projects.hardware_hint
            value=typed(page, "hardware", hardware)
            mono=true
        />
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_project, render},
    };

    #[test]
    fn an_empty_list_says_the_three_steps() {
        let html = render(context(""), || {
            show(Listed {
                rows: Vec::new(),
                next: None,
            })
        });
        assert_eq!(html.matches("<li>").count(), 3, "{html}");
        assert!(!html.contains("<table"));
        assert_sound(&html);
    }

    #[test]
    fn a_refused_form_keeps_what_was_typed_and_marks_the_field() {
        let query = "error=invalid&field=project&project=a%2Fb&title=%3Cb%3E";
        let html = render(context(query), create_form);
        assert!(
            html.contains("value=\"a/b\"") && html.contains("value=\"&lt;b&gt;\""),
            "{html}"
        );
        assert!(html.contains("field-project-error"));
        assert_sound(&html);
    }

    #[test]
    fn a_project_without_a_published_release_says_so() {
        let row = Row {
            project: demo_project(),
            published: None,
        };
        let html = render(context(""), || {
            show(Listed {
                rows: vec![row],
                next: Some("lamp".into()),
            })
        });
        assert!(
            html.contains("href=\"/admin/projects/lamp\"") && html.contains(">None<"),
            "{html}"
        );
        assert!(html.contains("href=\"/admin/projects?after=lamp\""));
    }
}
