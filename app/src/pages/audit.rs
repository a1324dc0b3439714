//! `/admin/audit`: who did what, from where and when.

use gatehouse_core::{Error, Result};
use gatehouse_types::{
    Page as ListPage, Timestamp,
    audit::{AuditEntry, AuditQuery},
};
use leptos::prelude::*;

use super::loading::loaded;
use crate::{
    components::{
        Badge, Button, ButtonLink, Card, DataTable, EmptyState, Look, NextPage, Page, TextField,
        Time, Tone, short_id,
    },
    context::PageContext,
    forms::Way,
    visit::Visit,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The fields of the filter, as the URL names them.
const FILTERS: [&str; 5] = ["actor", "action", "target", "from", "to"];

/// The audit trail with its filter.
#[component]
pub fn Audit() -> impl IntoView {
    let Visit { portal, actor, .. } = Visit::current();
    let query = read_query(&PageContext::current());
    let load = async move {
        let query = query?;
        Ok((portal.audit.list(&actor, &query).await?, query))
    };
    loaded(load, |(entries, query)| {
        let texts = &PageContext::current().messages().audit;
        view! {
            <Page title=texts.title intro=texts.intro>
                <Filter />
                <Trail entries=entries query=query />
            </Page>
        }
    })
}

/// Reads the filter from the URL. Days are whole and in UTC, and the last one counts too.
fn read_query(page: &PageContext) -> Result<AuditQuery> {
    let value = |name| {
        page.query_value(name)
            .filter(|text| !text.trim().is_empty())
    };
    let day = |name| value(name).map(|text| day_start(name, &text)).transpose();
    Ok(AuditQuery {
        actor: value("actor"),
        action: value("action"),
        target: value("target"),
        from: day("from")?,
        to: day("to")?.map(|start| Timestamp(start.0 + DAY_MS)),
        limit: None,
        after: value("after"),
    })
}

fn day_start(field: &'static str, day: &str) -> Result<Timestamp> {
    let start = Timestamp::parse(&format!("{}T00:00:00Z", day.trim()));
    start.ok_or_else(|| Error::invalid(field, "A date looks like 2026-01-31."))
}

#[component]
fn Filter() -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().audit;
    let [actor, action, target, from, to] =
        FILTERS.map(|name| page.query_value(name).unwrap_or_default());
    let clear = is_filtered(&page).then(|| {
        view! { <ButtonLink href="/admin/audit" look=Look::Plain>{texts.filter_clear}</ButtonLink> }
    });
    view! {
        <details open=is_filtered(&page)>
            <summary class="button">{texts.filter_title}</summary>
            <Card>
                <form class="form" method="get" action="/admin/audit">
                    <TextField name="actor" label=texts.actor hint=texts.actor_hint value=actor />
                    <TextField name="action" label=texts.action hint=texts.action_hint value=action mono=true />
                    <TextField name="target" label=texts.target hint=texts.target_hint value=target mono=true />
                    <TextField name="from" label=texts.since kind="date" value=from />
                    <TextField name="to" label=texts.until kind="date" value=to />
                    <div class="row"><Button>{texts.filter}</Button>{clear}</div>
                </form>
            </Card>
        </details>
    }
}

fn is_filtered(page: &PageContext) -> bool {
    FILTERS
        .iter()
        .any(|name| page.query_value(name).is_some_and(|text| !text.is_empty()))
}

#[component]
fn Trail(entries: ListPage<AuditEntry>, query: AuditQuery) -> impl IntoView {
    let page = PageContext::current();
    let texts = &page.messages().audit;
    if entries.items.is_empty() {
        return view! {
            <EmptyState title=texts.empty_title hint=texts.empty_hint>
                <ButtonLink href="/admin/audit" look=Look::Plain>{texts.filter_clear}</ButtonLink>
            </EmptyState>
        }
        .into_any();
    }
    let next = entries
        .next
        .map(|after| same_filter(&page).with("after", &after).into_url());
    let rows = entries
        .items
        .into_iter()
        .map(|entry| view! { <Line entry=entry /> })
        .collect_view();
    let heads = vec![
        texts.when,
        texts.actor,
        texts.from,
        texts.action,
        texts.target,
        texts.outcome,
        texts.detail,
    ];
    view! {
        <DataTable caption=texts.caption heads=heads>{rows}</DataTable>
        <NextPage href=next />
        <p class="row">
            <ButtonLink href=export_url("/admin/audit.csv", &query) look=Look::Plain>{texts.download_csv}</ButtonLink>
            <ButtonLink href=export_url("/api/v1/audit", &query) look=Look::Plain>{texts.download_json}</ButtonLink>
        </p>
    }
    .into_any()
}

#[component]
fn Line(entry: AuditEntry) -> impl IntoView {
    let texts = &PageContext::current().messages().audit;
    let (tone, result) = match entry.result.as_str() {
        "ok" => (Tone::Good, texts.outcome_ok),
        "refused" => (Tone::Warn, texts.outcome_refused),
        _ => (Tone::Bad, texts.outcome_failed),
    };
    let actor = if entry.actor_name.is_empty() {
        texts.nobody.to_owned()
    } else {
        entry.actor_name
    };
    view! {
        <tr>
            <td><Time at_ms=entry.at.0 /></td>
            <td title=entry.actor_id>{actor}</td>
            <td><code>{entry.ip.unwrap_or_else(|| "–".to_owned())}</code></td>
            <td><code>{entry.action}</code></td>
            <td>{entry.target_kind} " " {short_id(&entry.target_id)}</td>
            <td><Badge tone=tone label=result /></td>
            <td class="words">{entry.detail}</td>
        </tr>
    }
}

/// This page with the filter as it was typed.
fn same_filter(page: &PageContext) -> Way {
    let values = FILTERS.map(|name| (name, page.query_value(name).unwrap_or_default()));
    let given = values.iter().filter(|(_, value)| !value.is_empty());
    Way::to("/admin/audit").with_all(given.map(|(name, value)| (*name, value.as_str())))
}

/// The same lines elsewhere, with the filter in the words of the API.
fn export_url(path: &str, query: &AuditQuery) -> String {
    let moments = [("from", query.from), ("to", query.to)]
        .map(|(name, moment)| (name, moment.map(Timestamp::rfc3339)));
    let words = [
        ("actor", &query.actor),
        ("action", &query.action),
        ("target", &query.target),
    ];
    let values = words
        .into_iter()
        .chain(moments.iter().map(|(name, moment)| (*name, moment)));
    Way::to(path)
        .with_all(values.filter_map(|(name, value)| Some((name, value.as_deref()?))))
        .into_url()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::context;

    #[test]
    fn the_last_day_of_the_filter_counts() {
        let query = read_query(&context(
            "actor=ana%40example.org&from=2026-01-31&to=2026-01-31&action=",
        ))
        .unwrap();
        assert_eq!(query.action, None);
        assert_eq!(
            export_url("/admin/audit.csv", &query),
            "/admin/audit.csv?actor=ana%40example.org&from=2026-01-31T00%3A00%3A00.000Z&to=2026-02-01T00%3A00%3A00.000Z"
        );
    }

    #[test]
    fn a_date_that_is_none_is_refused_at_its_field() {
        let refused = read_query(&context("to=yesterday"));
        assert!(matches!(refused, Err(Error::Invalid { field: "to", .. })));
    }

    #[test]
    fn the_next_page_keeps_what_was_typed() {
        let page = context("target=a%26b&after=7&to=2026-01-31");
        assert_eq!(
            same_filter(&page).into_url(),
            "/admin/audit?target=a%26b&to=2026-01-31"
        );
    }
}
