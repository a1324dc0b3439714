#![cfg(feature = "ssr")]
//! One message catalogue in two languages.
//!
//! A text is one line in the file of its page: `key: "English" | "Español",`. Both languages
//! stand side by side, so a missing one does not compile. `{placeholders}` are filled by
//! [`crate::format::fill`]; a test holds both languages to the same ones.

mod access;
mod admin;
mod chrome;
mod codes;
mod firmware;
mod guests;
mod lang;
mod manifests;
mod owner;
mod rollouts;

pub use access::{Routers, Services, Users};
pub use admin::{Audit, Errors, Styleguide};
pub use chrome::{Common, Nav, States};
pub use codes::{Notice, Problem, field_text};
pub use firmware::{Device, Project, Projects, Release, Tokens, Upload};
pub use guests::{Guest, Invitations};
pub use lang::Lang;
pub use manifests::{Keys, Signing};
pub use owner::{Account, Dashboard, Login, Sessions, Setup};
pub use rollouts::{Connect, Image, Rollout};

/// Declares the texts of one page, each in English and Spanish.
macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $en:literal | $es:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name { $(pub $key: &'static str,)* }

        impl $name {
            pub(super) const EN: Self = Self { $($key: $en,)* };
            pub(super) const ES: Self = Self { $($key: $es,)* };
            #[cfg(test)]
            pub(super) const PAIRS: &'static [(&'static str, &'static str, &'static str)] =
                &[$((stringify!($key), $en, $es),)*];
        }
    };
}
use texts;

/// Gathers the pages' texts into the catalogue.
macro_rules! catalogue {
    ($($group:ident: $name:ident,)*) => {
        /// All texts of one language, grouped by page.
        #[derive(Debug)]
        pub struct Messages { $(pub $group: $name,)* }

        static EN: Messages = Messages { $($group: $name::EN,)* };
        static ES: Messages = Messages { $($group: $name::ES,)* };

        #[cfg(test)]
        const GROUPS: &[(&str, &[(&str, &str, &str)])] = &[$((stringify!($group), $name::PAIRS),)*];
    };
}

catalogue! {
    common: Common,
    nav: Nav,
    states: States,
    login: Login,
    setup: Setup,
    dashboard: Dashboard,
    sessions: Sessions,
    invitations: Invitations,
    guest: Guest,
    account: Account,
    services: Services,
    routers: Routers,
    users: Users,
    projects: Projects,
    project: Project,
    release: Release,
    image: Image,
    rollout: Rollout,
    connect: Connect,
    keys: Keys,
    signing: Signing,
    device: Device,
    tokens: Tokens,
    upload: Upload,
    audit: Audit,
    errors: Errors,
    styleguide: Styleguide,
}

impl Lang {
    /// The texts of this language.
    pub fn messages(self) -> &'static Messages {
        match self {
            Self::En => &EN,
            Self::Es => &ES,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::GROUPS;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn both_languages_say_something_with_the_same_placeholders() {
        for (group, pairs) in GROUPS {
            for (key, english, spanish) in *pairs {
                assert!(
                    !english.trim().is_empty() && !spanish.trim().is_empty(),
                    "{group}.{key}"
                );
                assert_eq!(
                    placeholders(english),
                    placeholders(spanish),
                    "{group}.{key}"
                );
            }
        }
    }
}
