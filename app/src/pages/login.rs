//! Sign-in: one plain form, no script.

use leptos::prelude::*;

use crate::{
    components::{Button, Card, Checkbox, Page, PostForm, TextField},
    context::PageContext,
};

/// The page where owners and admins sign in.
#[component]
pub fn Login() -> impl IntoView {
    let page = PageContext::current();
    let messages = page.messages();
    let texts = &messages.login;
    let next = page.query_value("next").filter(|next| is_own_path(next));
    let email = page.query_value("email").unwrap_or_default();
    view! {
        <Page title=texts.title intro=texts.intro>
            <Card>
                <PostForm action="/login">
                    {next.map(|next| view! { <input type="hidden" name="next" value=next /> })}
                    <TextField
                        name="email"
                        label=messages.common.email
                        kind="email"
                        value=email
                        autocomplete="username"
                        required=true
                        max_chars=254
                    />
                    <TextField
                        name="password"
                        label=messages.common.password
                        kind="password"
                        autocomplete="current-password"
                        required=true
                    />
                    <Checkbox name="remember" value="on" label=texts.remember hint=texts.remember_hint />
                    <Button>{texts.submit}</Button>
                </PostForm>
            </Card>
            <p class="muted">{texts.forgot}</p>
        </Page>
    }
}

/// Whether a path leads to this portal: browsers read `//host` and `/\host` as another one.
fn is_own_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::is_own_path;

    #[test]
    fn the_way_on_stays_within_the_portal() {
        for path in ["/", "/sessions?ok=saved", "/admin/users/7"] {
            assert!(is_own_path(path), "{path}");
        }
        for path in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "",
            "sessions",
            "/\t/evil.example",
        ] {
            assert!(!is_own_path(path), "{path}");
        }
    }
}
