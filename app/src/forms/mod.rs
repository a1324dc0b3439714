#![cfg(feature = "ssr")]
//! The server functions behind plain forms: one file per noun, under `/api/ui/`.
//!
//! Each reads who asks, calls one method of the core and answers with a redirect: to where the
//! result is seen with `?ok=<notice>`, or back to the form with `?error=<code>&field=<name>` and
//! what was typed (never a secret), so that nothing is lost and no error text is in a URL.

pub mod account;
pub mod devices;
pub mod invitations;
pub mod keys;
pub(crate) mod once;
pub mod projects;
pub mod releases;
pub mod rollouts;
pub mod routers;
pub mod services;
pub mod sessions;
pub mod sign_ins;
pub mod tokens;
pub mod users;

use std::str::FromStr;

use gatehouse_core::{Actor, Error, Result};
use gatehouse_types::codes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::i18n::{Notice, Problem};

/// What stands in a URL as something else than itself.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How much of a URL repeats what was typed, percent-encoded.
const TYPED_MAX_BYTES: usize = 1024;

/// A path with a query, put together for a redirect.
pub struct Way(String);

impl Way {
    /// Starts at a path of ours, which may carry a query already.
    pub fn to(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// Adds a value to the query.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let separator = if self.0.contains('?') { '&' } else { '?' };
        self.0.push(separator);
        for (part, end) in [(name, "="), (value, "")] {
            self.0.extend(utf8_percent_encode(part, ENCODED));
            self.0.push_str(end);
        }
        self
    }

    /// Adds several values to the query.
    #[must_use]
    pub(crate) fn with_all<'a>(self, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        values
            .into_iter()
            .fold(self, |way, (name, value)| way.with(name, value))
    }

    /// Adds what was typed into a refused form, so that the form shows it again; never a secret.
    ///
    /// What makes this longer than 1 KiB is left out: not every browser and proxy takes a long URL.
    #[must_use]
    pub fn typed<'a>(mut self, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let longest_bytes = self.0.len() + TYPED_MAX_BYTES;
        for (name, value) in values {
            let bytes_before = self.0.len();
            self = self.with(name, value);
            if self.0.len() > longest_bytes {
                self.0.truncate(bytes_before);
            }
        }
        self
    }

    /// Goes one segment deeper; the path carries no query yet.
    #[must_use]
    pub fn below(mut self, segment: &str) -> Self {
        self.0.push('/');
        self.0.extend(utf8_percent_encode(segment, ENCODED));
        self
    }

    /// The whole, for a link.
    pub(crate) fn into_url(self) -> String {
        self.0
    }

    /// Sends the browser there with how it went.
    pub(crate) fn report<T>(self, outcome: &Result<T>, notice: Notice) {
        match outcome {
            Ok(_) => self.succeed(notice),
            Err(error) => self.fail(error),
        }
    }

    /// Sends the browser there without a word, since the page speaks for itself.
    pub(crate) fn go(self) {
        leptos_axum::redirect(&self.0);
    }

    /// The path with its query.
    pub fn path(&self) -> &str {
        &self.0
    }

    /// Sends the browser there with good news.
    pub(crate) fn succeed(self, notice: Notice) {
        leptos_axum::redirect(&self.with("ok", notice.code()).0);
    }

    /// Sends the browser there with what went wrong.
    pub(crate) fn fail(self, error: &Error) {
        self.fail_in("", error);
    }

    /// As [`Way::fail`], for the form with this scope on a page with several.
    pub(crate) fn fail_in(self, scope: &str, error: &Error) {
        leptos_axum::redirect(&self.refused(scope, error).0);
    }

    /// Adds what went wrong, for the form with this scope on a page with several; the cause of
    /// a fault goes to the log.
    #[must_use]
    pub fn refused(self, scope: &str, error: &Error) -> Self {
        log_internal(error);
        let way = self.with("error", problem(error).code());
        match error {
            Error::Invalid { field, .. } if scope.is_empty() => way.with("field", field),
            Error::Invalid { field, .. } => way.with("field", &format!("{scope}.{field}")),
            _ => way,
        }
    }
}

/// Reads an id, number or word that a form sent as text.
///
/// # Errors
/// [`Error::Invalid`] at `field` when the text is nothing of that kind.
pub(crate) fn parsed<T: FromStr>(field: &'static str, text: &str) -> Result<T> {
    text.trim()
        .parse()
        .map_err(|_| Error::invalid(field, "This cannot be read."))
}

/// Refuses a form whose page showed another address than the one it comes from.
///
/// What a form says here can only refuse: who gets in is always the address that asks.
///
/// # Errors
/// [`Error::Conflict`] where both are known and differ.
pub fn check_shown_ip(actor: &Actor, shown_ip: &str) -> Result<()> {
    match actor.ip {
        Some(ip) if !shown_ip.is_empty() && shown_ip != ip.to_string() => Err(Error::conflict(
            codes::ADDRESS_CHANGED,
            format!("Your address is {ip} now, and the page showed another one. Try again."),
        )),
        _ => Ok(()),
    }
}

/// A field that a form leaves empty to say nothing.
pub(crate) fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The word of the closed set that stands for an error.
pub fn problem(error: &Error) -> Problem {
    match error {
        Error::Unauthenticated(_) => Problem::Unauthenticated,
        Error::Forbidden(_) => Problem::Forbidden,
        Error::NotFound(_) => Problem::NotFound,
        Error::Conflict { code, .. } => Problem::from_code(code).unwrap_or(Problem::Conflict),
        Error::Unfit { code, .. } => Problem::from_code(code).unwrap_or(Problem::Invalid),
        Error::Invalid { .. } => Problem::Invalid,
        Error::NoClientAddress => Problem::NoClientAddress,
        Error::TooLarge { .. } => Problem::TooLarge,
        Error::QuotaExceeded { .. } => Problem::QuotaExceeded,
        Error::TooMany { .. } => Problem::TooMany,
        Error::NotCoSigned { .. } | Error::Unavailable { .. } => Problem::Unavailable,
        Error::StorageFull => Problem::StorageFull,
        Error::Internal(_) => Problem::Internal,
    }
}

/// Neither a form nor a page tells the cause of a fault, so it goes to the log here.
pub(crate) fn log_internal(error: &Error) {
    if let Error::Internal(source) = error {
        let first: &dyn std::error::Error = source.as_ref();
        let chain = std::iter::successors(Some(first), |cause| (*cause).source());
        let cause = chain
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ");
        tracing::error!(cause, "a page or form failed inside the portal");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_back_unless_it_makes_a_long_url() {
        let (long, umlauts) = ("x".repeat(2000), "ä".repeat(200));
        let url = Way::to("/form")
            .typed([("name", "Lámpara"), ("notes", &long), ("more", &umlauts)])
            .typed([("place", "a&b=c")])
            .with("error", "invalid")
            .into_url();
        assert_eq!(url, "/form?name=L%C3%A1mpara&place=a%26b%3Dc&error=invalid");
    }

    #[test]
    fn one_kibibyte_of_typed_text_is_the_most() {
        let fits = "x".repeat(TYPED_MAX_BYTES - "?notes=".len());
        for (notes, expected_bytes) in [(fits.clone(), TYPED_MAX_BYTES), (fits + "x", 0)] {
            let url = Way::to("/form").typed([("notes", &*notes)]).into_url();
            assert_eq!(url.len() - "/form".len(), expected_bytes);
        }
    }
}
