//! Fields that take text or a file.

use leptos::prelude::*;

use super::field::Frame;
use crate::format::raw_text;

/// A field of one line.
#[component]
pub fn TextField(
    /// What the form calls it.
    #[prop(into)]
    name: String,
    /// What people call it.
    #[prop(into)]
    label: String,
    /// The type of the input: `text`, `email`, `password`, `number`, `url`, `date`.
    #[prop(default = "text")]
    kind: &'static str,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
    /// What would do.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Tells the fields of several forms on one page apart.
    #[prop(optional, into)]
    scope: String,
    /// What a password manager may fill in.
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    /// Whether it must be filled in.
    #[prop(optional)]
    required: bool,
    /// The most characters it takes.
    #[prop(optional)]
    max_chars: Option<usize>,
    /// The least and the greatest number it takes.
    #[prop(optional)]
    range: Option<(i64, i64)>,
    /// The regular expression that its text must match.
    #[prop(optional)]
    pattern: Option<&'static str>,
    /// Whether the text is for machines and set in one width.
    #[prop(optional)]
    mono: bool,
) -> impl IntoView {
    let frame = Frame::new(&name, &scope, label, hint);
    let class = if mono { "input mono" } else { "input" };
    let control = view! {
        <input
            class=class
            id=frame.id.clone()
            name=name
            type=kind
            value=value
            required=required
            autocomplete=autocomplete
            autocapitalize=mono.then_some("none")
            spellcheck=mono.then_some("false")
            maxlength=max_chars
            min=range.map(|(least, _)| least)
            max=range.map(|(_, greatest)| greatest)
            pattern=pattern
            aria-describedby=frame.described_by.clone()
            aria-invalid=frame.invalid
        />
    };
    frame.around(required, control)
}

/// A field of several lines.
#[component]
pub fn TextArea(
    /// What the form calls it.
    #[prop(into)]
    name: String,
    /// What people call it.
    #[prop(into)]
    label: String,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
    /// What would do.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Tells the fields of several forms on one page apart.
    #[prop(optional, into)]
    scope: String,
    /// Whether it must be filled in.
    #[prop(optional)]
    required: bool,
    /// The most characters it takes.
    #[prop(optional)]
    max_chars: Option<usize>,
) -> impl IntoView {
    let frame = Frame::new(&name, &scope, label, hint);
    let control = view! {
        <textarea
            class="input"
            id=frame.id.clone()
            name=name
            rows="4"
            required=required
            maxlength=max_chars
            aria-describedby=frame.described_by.clone()
            aria-invalid=frame.invalid
        >
            {raw_text(&value)}
        </textarea>
    };
    frame.around(required, control)
}

/// A field that takes one file; its form needs `enctype="multipart/form-data"`.
#[component]
pub fn FileField(
    /// What the form calls it.
    #[prop(into)]
    name: String,
    /// What people call it.
    #[prop(into)]
    label: String,
    /// What the browser offers first, such as `.bin`.
    #[prop(optional)]
    accept: Option<&'static str>,
    /// What would do.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Tells the fields of several forms on one page apart.
    #[prop(optional, into)]
    scope: String,
) -> impl IntoView {
    let frame = Frame::new(&name, &scope, label, hint);
    let control = view! {
        <input
            class="input"
            id=frame.id.clone()
            name=name
            type="file"
            accept=accept
            required=true
            aria-describedby=frame.described_by.clone()
            aria-invalid=frame.invalid
        />
    };
    frame.around(true, control)
}
