//! Fields that offer choices.

use std::collections::BTreeSet;

use leptos::prelude::*;

use super::field::Frame;
use crate::{context::PageContext, format::fill, i18n::Lang};

/// One thing to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What people read.
    pub label: String,
}

impl Choice {
    /// Offers `label` and sends `value`.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
        }
    }
}

/// The durations on offer up to `max_minutes`: 15 and 30 minutes, 1 and 4 hours, and the usual one.
pub fn minute_choices(usual_minutes: i64, max_minutes: i64, lang: Lang) -> Vec<Choice> {
    let common = &lang.messages().common;
    let label = |minutes: i64| match minutes {
        whole_hours if whole_hours % 60 == 0 => {
            fill(common.hours, &[("n", &(whole_hours / 60).to_string())])
        }
        _ => fill(common.minutes, &[("n", &minutes.to_string())]),
    };
    BTreeSet::from([15, 30, 60, 240, usual_minutes])
        .into_iter()
        .filter(|minutes| *minutes <= max_minutes)
        .map(|minutes| Choice::new(minutes.to_string(), label(minutes)))
        .collect()
}

/// A drop-down list.
#[component]
pub fn SelectField(
    /// What the form calls it.
    #[prop(into)]
    name: String,
    /// What people call it.
    #[prop(into)]
    label: String,
    /// What there is to choose.
    options: Vec<Choice>,
    /// The value chosen at first.
    #[prop(optional, into)]
    selected: String,
    /// What would do.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Tells the fields of several forms on one page apart.
    #[prop(optional, into)]
    scope: String,
) -> impl IntoView {
    let frame = Frame::new(&name, &scope, label, hint);
    let options = options
        .into_iter()
        .map(|choice| {
            let chosen = choice.value == selected;
            view! { <option value=choice.value selected=chosen>{choice.label}</option> }
        })
        .collect_view();
    let control = view! {
        <select
            class="input"
            id=frame.id.clone()
            name=name
            aria-describedby=frame.described_by.clone()
            aria-invalid=frame.invalid
        >
            {options}
        </select>
    };
    frame.around(true, control)
}

/// A box to tick; several may share one name.
#[component]
pub fn Checkbox(
    /// What the form calls it.
    #[prop(into)]
    name: String,
    /// What people call it.
    #[prop(into)]
    label: String,
    /// What the form sends when it is ticked.
    #[prop(default = "true".to_owned(), into)]
    value: String,
    /// What ticking it means.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Whether it is ticked at first.
    #[prop(optional)]
    checked: bool,
    /// Tells boxes of one name, or fields of several forms, apart.
    #[prop(optional, into)]
    scope: String,
) -> impl IntoView {
    let frame = Frame::new(&name, &scope, label, hint);
    view! {
        <div class="field checkbox">
            <input
                id=frame.id.clone()
                name=name
                type="checkbox"
                value=value
                checked=checked
                aria-describedby=frame.described_by.clone()
                aria-invalid=frame.invalid
            />
            <div>
                <label for=frame.id.clone()>{frame.label()}</label>
                {frame.notes()}
            </div>
        </div>
    }
}

/// A few choices side by side, one of them taken.
#[component]
pub fn Chips(
    /// What the form calls the choice.
    #[prop(into)]
    name: String,
    /// What people call the choice.
    #[prop(into)]
    legend: String,
    /// What there is to choose.
    options: Vec<Choice>,
    /// The value taken at first; when it is not on offer, the first one is.
    #[prop(into)]
    selected: String,
    /// Tells the fields of several forms on one page apart.
    #[prop(optional, into)]
    scope: String,
) -> impl IntoView {
    let key = if scope.is_empty() {
        name.clone()
    } else {
        format!("{scope}.{name}")
    };
    let error = PageContext::current()
        .field_error(&key)
        .map(|text| view! { <p class="field-error">{text}</p> });
    let taken = options
        .iter()
        .position(|choice| choice.value == selected)
        .unwrap_or(0);
    let chips = options
        .into_iter()
        .enumerate()
        .map(|(place, choice)| {
            view! {
                <label class="chip">
                    <input type="radio" name=name.clone() value=choice.value checked=place == taken />
                    <span>{choice.label}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="chips">
            <legend>{legend}</legend>
            {error}
            {chips}
        </fieldset>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_stay_within_the_limit() {
        let labels = |usual, max| {
            minute_choices(usual, max, Lang::En)
                .into_iter()
                .map(|choice| choice.label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(60, 480), ["15 min", "30 min", "1 h", "4 h"]);
        assert_eq!(labels(20, 45), ["15 min", "20 min", "30 min"]);
        assert_eq!(labels(5, 5), ["5 min"]);
    }
}
