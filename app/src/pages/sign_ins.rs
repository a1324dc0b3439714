//! The list of sign-in sessions, for the account page and for an admin.

use gatehouse_types::account::{LoginKind, LoginSession};
use leptos::prelude::*;

use crate::{
    components::{Badge, Confirm, DataTable, Time, Tone},
    context::PageContext,
    format::fill,
    i18n::Messages,
};

/// Whose sign-ins are listed, when they are not the reader's own.
#[derive(Debug, Clone)]
pub struct OfUser {
    /// The account, as a UUID.
    pub id: String,
    /// Its e-mail address.
    pub email: String,
}

/// A table of sign-ins, each with a way to end it.
#[component]
pub fn SignIns(
    /// The sign-ins, newest first.
    sessions: Vec<LoginSession>,
    /// Whose they are; `None` for the reader's own.
    of: Option<OfUser>,
) -> impl IntoView {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.account, &messages.common);
    let rows = sessions
        .into_iter()
        .map(|session| {
            let device = device_words(&session, messages);
            let end = if session.current {
                view! { <Badge tone=Tone::Good label=messages.states.this_one /> }.into_any()
            } else {
                end_button(&session, &device, of.as_ref(), messages).into_any()
            };
            view! {
                <tr>
                    <td title=session.user_agent>{device}</td>
                    <td>{session.ip.map_or_else(|| common.unknown.into_any(), |ip| view! { <code>{ip}</code> }.into_any())}</td>
                    <td><Time at_ms=session.created_at.0 /></td>
                    <td><Time at_ms=session.last_seen_at.0 relative=true /></td>
                    <td>{end}</td>
                </tr>
            }
        })
        .collect_view();
    let heads = vec![
        texts.device,
        texts.first_address,
        texts.first_seen,
        common.last_seen,
        common.actions,
    ];
    view! { <DataTable caption=texts.logins_caption heads=heads>{rows}</DataTable> }
}

fn end_button(
    session: &LoginSession,
    device: &str,
    of: Option<&OfUser>,
    messages: &Messages,
) -> impl IntoView + use<> {
    let id = ("id", session.id.to_string());
    let (action, warning, extra) = match of {
        Some(user) => (
            "/api/ui/end_sign_in_of_user",
            fill(
                messages.users.close_login_warning,
                &[("device", device), ("email", &user.email)],
            ),
            vec![id, ("user_id", user.id.clone())],
        ),
        None => (
            "/api/ui/end_sign_in",
            fill(messages.account.close_one_warning, &[("device", device)]),
            vec![id],
        ),
    };
    let close = messages.account.close_one;
    view! { <Confirm summary=close warning=warning action=action button=close extra=extra /> }
}

fn device_words(session: &LoginSession, messages: &Messages) -> String {
    let texts = &messages.account;
    let agent = session.user_agent.as_str();
    let program = program_of(agent).map(str::to_owned).or_else(|| {
        let first_word = agent.split(['/', ' ']).next().unwrap_or_default();
        (!first_word.is_empty()).then(|| first_word.to_owned())
    });
    let fallback = if session.kind == LoginKind::Api {
        texts.kind_api
    } else {
        messages.common.unknown
    };
    let program = program.unwrap_or_else(|| fallback.to_owned());
    match system_of(agent) {
        Some(system) => fill(
            texts.device_on,
            &[("program", &program), ("system", system)],
        ),
        None => program,
    }
}

/// Browsers call themselves by their ancestors too, so the youngest name comes first.
fn program_of(agent: &str) -> Option<&'static str> {
    const MARKS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    first_mark(agent, &MARKS)
}

/// Android calls itself Linux too, and an iPhone says it is like Mac OS X.
fn system_of(agent: &str) -> Option<&'static str> {
    const MARKS: [(&str, &str); 7] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    first_mark(agent, &MARKS)
}

fn first_mark(agent: &str, marks: &[(&str, &'static str)]) -> Option<&'static str> {
    marks
        .iter()
        .find(|(mark, _)| agent.contains(mark))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use gatehouse_types::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::i18n::Lang;

    fn words(kind: LoginKind, user_agent: &str, lang: Lang) -> String {
        let at = Timestamp(0);
        let session = LoginSession {
            id: Uuid::nil(),
            kind,
            created_at: at,
            last_seen_at: at,
            expires_at: at,
            ip: None,
            user_agent: user_agent.to_owned(),
            current: false,
        };
        device_words(&session, lang.messages())
    }

    #[test]
    fn a_device_is_named_in_a_few_words() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Safari/604.1";
        let tablet =
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";
        assert_eq!(words(LoginKind::Browser, edge, Lang::En), "Edge on Windows");
        assert_eq!(
            words(LoginKind::Browser, phone, Lang::Es),
            "Safari en iPhone"
        );
        assert_eq!(
            words(LoginKind::Browser, tablet, Lang::En),
            "Chrome on Android"
        );
        assert_eq!(words(LoginKind::Api, "curl/8.5.0", Lang::En), "curl");
        assert_eq!(words(LoginKind::Api, "", Lang::Es), "Programa con token");
    }
}
