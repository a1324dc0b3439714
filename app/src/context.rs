#![cfg(feature = "ssr")]
//! What every page knows about the request it answers.

use std::{net::IpAddr, sync::Arc};

use leptos::prelude::{provide_context, use_context};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::i18n::{Lang, Messages, Notice, Problem, field_text};

/// Who looks at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The account, as a UUID.
    pub id: String,
    /// Its e-mail address.
    pub email: String,
    /// Whether it also runs the portal.
    pub is_admin: bool,
}

/// The colours that the reader chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// Every theme, in the order of the theme switch.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word in the cookie, in forms and in `<html data-theme>`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.code() == code)
    }
}

/// The request behind a page, and how to speak to its reader.
#[derive(Debug, Clone)]
pub struct PageContext {
    /// Who is signed in, if anybody.
    pub actor: Option<Viewer>,
    /// The language of the page.
    pub lang: Lang,
    /// The colours of the page.
    pub theme: Theme,
    /// The path of the request, percent-encoded as it came.
    pub path: String,
    /// The query of the request without its question mark, as it came.
    pub query: String,
    /// Where the style and the wasm lie, without slashes at the ends.
    pub pkg_path: String,
    /// Names this request in the log.
    pub request_id: String,
    /// When the request came, in milliseconds since 1970.
    pub now_ms: i64,
    /// The address that an access session would let in; `None` when it cannot be told.
    pub client_ip: Option<IpAddr>,
    /// Whether firmware downloads need no token.
    pub no_jwt: bool,
    /// Whether this is a debug build.
    pub debug: bool,
    /// Whether the page is for admins and the reader is none.
    pub forbidden: bool,
}

impl PageContext {
    /// Hands the context to the page that is about to be rendered.
    pub fn provide(self) {
        provide_context(Arc::new(self));
    }

    /// The context of the page that is being rendered.
    ///
    /// # Panics
    /// When the server renders a page without having called [`PageContext::provide`].
    pub fn current() -> Arc<Self> {
        use_context().expect("the server provides a PageContext before it renders a page")
    }

    /// The texts in the language of the page.
    pub fn messages(&self) -> &'static Messages {
        self.lang.messages()
    }

    /// Whether the reader runs the portal.
    pub fn is_admin(&self) -> bool {
        self.actor.as_ref().is_some_and(|viewer| viewer.is_admin)
    }

    /// Whether something of this account is the reader's own.
    pub fn owns(&self, user_id: Uuid) -> bool {
        let viewer = self.actor.as_ref();
        viewer.is_some_and(|viewer| viewer.id == user_id.to_string())
    }

    /// Whether the request came from this address.
    pub fn is_from(&self, ip: &str) -> bool {
        self.client_ip.is_some_and(|own| own.to_string() == ip)
    }

    /// The first value of a name in the query, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key) == name).then(|| decoded(value))
        })
    }

    /// What went well before this page, from `?ok=`.
    pub fn notice(&self) -> Option<Notice> {
        Notice::from_code(&self.query_value("ok")?)
    }

    /// What went wrong before this page, from `?error=`.
    pub fn problem(&self) -> Option<Problem> {
        Problem::from_code(&self.query_value("error")?)
    }

    /// What to say at one field, from `?error=…&field=…`.
    pub fn field_error(&self, field: &str) -> Option<&'static str> {
        let problem = self.problem()?;
        let named = self.query_value("field")? == field;
        let plain_name = field.rsplit('.').next().unwrap_or(field);
        named.then(|| field_text(plain_name, problem, self.lang))
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn context(query: &str) -> PageContext {
        PageContext {
            actor: None,
            lang: Lang::En,
            theme: Theme::System,
            path: "/".to_owned(),
            query: query.to_owned(),
            pkg_path: "pkg".to_owned(),
            request_id: "r1".to_owned(),
            now_ms: 1_763_719_200_000,
            client_ip: None,
            no_jwt: false,
            debug: false,
            forbidden: false,
        }
    }

    #[test]
    fn query_values_are_decoded() {
        let page = context("a=1&ver+sion=a%2Fb+c&flag");
        assert_eq!(page.query_value("ver sion").as_deref(), Some("a/b c"));
        assert_eq!(page.query_value("flag").as_deref(), Some(""));
        assert_eq!(page.query_value("b"), None);
    }

    #[test]
    fn an_error_is_said_at_its_field_only() {
        let page = context("error=invalid&field=new.email");
        assert!(
            page.field_error("new.email")
                .is_some_and(|text| text.contains("name@example.org"))
        );
        assert_eq!(page.field_error("email"), None);
        assert_eq!(
            context("error=%3Cscript%3E&field=email").field_error("email"),
            None
        );
    }
}
