#![cfg(feature = "ssr")]
#![expect(clippy::needless_pass_by_value, reason = "a component owns its props")]
//! The handful of components that all pages are made of; `/admin/styleguide` shows each.
//!
//! # How to use
//! Texts come from `PageContext::current().messages()`. All components take `into` strings and
//! render on the server only. Optional props are in brackets.
//!
//! - `<Page title [intro] [back=(href, label)]>`: main content with heading, `?ok=`/`?error=` banners.
//! - `<Section title>`: a titled part of a page. `<Card>`: a framed part.
//! - `<Button [look=Look::…] [name] [value]>`, `<ButtonLink href [look] [new_tab]>`.
//! - `<PostForm action>`: a plain form; `<PostButton action [look] [extra=vec![(name, value)]]>`: one button
//!   with hidden fields.
//! - `<TextField name label [kind] [value] [hint] [scope] [autocomplete] [required] [max_chars]
//!   [range=(min, max)] [pattern] [mono]>`, `<TextArea name label [value] [hint] [scope] [max_chars]>`,
//!   `<SelectField name label options=Vec<Choice> [selected] [hint] [scope]>`,
//!   `<Checkbox name label [value] [hint] [checked] [scope]>`, `<FileField name label [accept] [hint] [scope]>`,
//!   `<Chips name legend options=Vec<Choice> selected [scope]>` (a radio group; see [`minute_choices`]).
//!   A field reads its own error from `?error=…&field=<name>`; two forms on one page that share names
//!   tell them apart by `scope`, and the error then names `field=<scope>.<name>`.
//! - `<Badge tone=Tone::… label>`, `<StateBadge state=session.state.as_str()>`: colour, word and shape;
//!   for an action `<StateBadge state=action_state(action.state)>`.
//! - `<DataTable caption heads=Vec<&str>>` with `<tr><td>` children, `<NextPage href=Option<String>>`.
//! - `<EmptyState title [hint]>` with the next step as children.
//! - `<Banner tone [title]>`, `<Facts>` with `<Fact term>` children, `<Confirm summary warning action button [extra]>`.
//! - `<ServiceTile icon name description>` with badge and forms as children, `<Icon name>`, [`icon_choices`].
//! - `<Time at_ms [relative]>`, [`size`] for bytes, [`short_id`], `<Meter label value max>`, `<CodeBlock label text [copy]>`.
//!   [`end_reason`] words the end of a session.
//! - `<SessionCountdown expires_at_ms href [soon_note]>` and `<ReleaseUpload project max_bytes>` are islands with their
//!   texts filled in; a page that uses one (or `CodeBlock copy=true`) also places `<IslandScripts/>` once.
//!   The upload's form posts `version` and `file` to `/admin/projects/{project}/upload` and reads errors
//!   of `field=upload.version` and `field=upload.file`.
//! - `<LiveUpdates [services]>` once on a page keeps its parts fresh without a reload, and brings the scripts
//!   along; a part is `<KeptFresh part=LivePart{…}>` or a `<ServiceTile live=LivePart{…}>`. `<ServiceState service_id reach>`.
//!   `<PolledUpdates>` does the same by asking now and then, for visitors without an account.
//!   `<FreshWithoutScripts>` loads a page that waits for something again, where no scripts run.
//!
//! # How to add one
//! Only when a second page needs it: a file here, classes in `style/main.css` (never an inline style,
//! the content security policy refuses it), a line above, and every state in `pages/styleguide.rs`.

pub mod badge;
pub mod banner;
pub mod button;
pub mod choice;
pub mod code_block;
pub mod confirm;
pub mod data_table;
pub mod empty_state;
pub mod facts;
pub mod field;
pub mod figures;
pub mod hydration;
pub mod icon;
pub mod live;
pub mod navigation;
pub mod page;
pub mod preferences;
pub mod service_tile;
pub mod text_field;

pub use badge::{Badge, StateBadge, Tone, action_state, end_reason, state_word};
pub use banner::Banner;
pub use button::{Button, ButtonLink, Look, PostButton, PostForm};
pub use choice::{Checkbox, Chips, Choice, SelectField, minute_choices};
pub use code_block::CodeBlock;
pub use confirm::Confirm;
pub use data_table::{DataTable, NextPage};
pub use empty_state::EmptyState;
pub use facts::{Fact, Facts};
pub use figures::{Meter, Time, second_text, short_id, size};
pub use hydration::IslandScripts;
pub use icon::{Icon, icon_choices};
pub use live::{
    FreshWithoutScripts, KeptFresh, LivePart, LiveUpdates, PolledUpdates, ReleaseUpload,
    ServiceState, SessionCountdown,
};
pub use navigation::{AccountActions, Navigation};
pub use page::{Card, Page, Section};
pub use preferences::Preferences;
pub use service_tile::ServiceTile;
pub use text_field::{FileField, TextArea, TextField};
