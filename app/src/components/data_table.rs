//! Lists of records.

use leptos::prelude::*;

use crate::context::PageContext;

/// A table that scrolls sideways by itself where the screen is narrow.
#[component]
pub fn DataTable(
    /// What the table lists.
    #[prop(into)]
    caption: String,
    /// The heads of its columns.
    heads: Vec<&'static str>,
    /// The rows: `<tr>` with one `<td>` a column.
    children: Children,
) -> impl IntoView {
    let heads = heads
        .into_iter()
        .map(|head| view! { <th scope="col">{head}</th> })
        .collect_view();
    let label = caption.clone();
    view! {
        <div class="table-scroll" role="region" tabindex="0" aria-label=label>
            <table>
                <caption>{caption}</caption>
                <thead><tr>{heads}</tr></thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
}

/// The way to the next part of a long list; nothing on the last.
#[component]
pub fn NextPage(
    /// The URL of the next part.
    href: Option<String>,
) -> impl IntoView {
    let label = PageContext::current().messages().common.next_page;
    href.map(|href| view! { <p class="pagination"><a rel="next" href=href>{label}</a></p> })
}
