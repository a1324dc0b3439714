//! The header's navigation and what belongs to the reader's own account.

use leptos::prelude::*;

use super::{ButtonLink, Look, PostButton};
use crate::{context::PageContext, i18n::Nav};

type Entry = (&'static str, &'static str);

fn owner_entries(nav: &Nav) -> [Entry; 5] {
    [
        ("/", nav.dashboard),
        ("/sessions", nav.sessions),
        ("/services", nav.services),
        ("/invitations", nav.invitations),
        ("/account", nav.account),
    ]
}

fn admin_entries(nav: &Nav) -> [Entry; 6] {
    [
        ("/admin/projects", nav.projects),
        ("/admin/routers", nav.routers),
        ("/admin/services", nav.admin_services),
        ("/admin/users", nav.users),
        ("/admin/tokens", nav.tokens),
        ("/admin/audit", nav.audit),
    ]
}

/// The links to all pages that the reader may open; nothing before sign-in.
///
/// It is one `<details>`: a menu where the screen is narrow, two rows where it is wide.
#[component]
pub fn Navigation() -> impl IntoView {
    let page = PageContext::current();
    let messages = page.messages();
    let nav = &messages.nav;
    page.actor.as_ref().map(|_| {
        let admin = page.is_admin().then(|| {
            view! {
                <p class="menu-title" id="menu-admin">{nav.admin}</p>
                <ul aria-labelledby="menu-admin">{links(&admin_entries(nav), &page.path)}</ul>
            }
        });
        view! {
            <details class="menu">
                <summary class="button">{messages.common.menu}</summary>
                <nav aria-label=nav.main>
                    <ul>{links(&owner_entries(nav), &page.path)}</ul>
                    {admin}
                </nav>
            </details>
        }
    })
}

fn links(entries: &[Entry], path: &str) -> impl IntoView + use<> {
    entries
        .iter()
        .map(|(href, label)| view! { <li><a href=*href aria-current=current(href, path)>{*label}</a></li> })
        .collect_view()
}

fn current(href: &str, path: &str) -> Option<&'static str> {
    if href == path {
        return Some("page");
    }
    let below = path
        .strip_prefix(href)
        .is_some_and(|rest| rest.starts_with('/'));
    below.then_some("true")
}

/// Who is signed in and the way out; the way in before that.
#[component]
pub fn AccountActions() -> impl IntoView {
    let page = PageContext::current();
    let nav = &page.messages().nav;
    let signed_in = page.actor.clone().map(|viewer| {
        view! {
            <span class="viewer">{viewer.email}</span>
            <PostButton action="/logout">{nav.sign_out}</PostButton>
        }
    });
    let offer_sign_in =
        signed_in.is_none() && !matches!(&*page.path, "/login" | "/setup" | "/guest");
    let signed_out = offer_sign_in
        .then(|| view! { <ButtonLink href="/login" look=Look::Plain>{nav.sign_in}</ButtonLink> });
    view! { <div class="account-actions">{signed_in}{signed_out}</div> }
}

#[cfg(test)]
mod tests {
    use super::current;

    #[test]
    fn the_page_and_the_part_it_belongs_to_are_marked() {
        assert_eq!(current("/admin/users", "/admin/users"), Some("page"));
        assert_eq!(current("/admin/users", "/admin/users/7"), Some("true"));
        assert_eq!(current("/services", "/services-old"), None);
        assert_eq!(current("/", "/sessions"), None);
    }
}
