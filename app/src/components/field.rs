//! What all form fields share: a label, a hint, an error, and the ids that tie them together.

use leptos::prelude::*;

use crate::context::PageContext;

/// The parts of a field around its control.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Names the control in the document.
    pub(super) id: String,
    /// What the control is described by, for assistive technology.
    pub(super) described_by: Option<String>,
    /// Present when the value was refused.
    pub(super) invalid: Option<&'static str>,
    label: String,
    hint: Option<String>,
    error: Option<&'static str>,
}

impl Frame {
    /// Builds the parts for the field `name` in the form `scope`, with the error the request brought.
    pub(super) fn new(name: &str, scope: &str, label: String, hint: Option<String>) -> Self {
        let key = if scope.is_empty() {
            name.to_owned()
        } else {
            format!("{scope}.{name}")
        };
        let error = PageContext::current().field_error(&key);
        let id = format!("field-{}", key.replace('.', "-"));
        let hint_id = hint.is_some().then(|| format!("{id}-hint"));
        let error_id = error.is_some().then(|| format!("{id}-error"));
        let described_by: Vec<String> = [error_id, hint_id].into_iter().flatten().collect();
        Self {
            described_by: (!described_by.is_empty()).then(|| described_by.join(" ")),
            invalid: error.map(|_| "true"),
            id,
            label,
            hint,
            error,
        }
    }

    /// Puts label, error and hint around a control; `required` decides whether "optional" is said.
    pub(super) fn around(self, required: bool, control: impl IntoView) -> impl IntoView {
        let optional = (!required).then(|| PageContext::current().messages().common.optional);
        view! {
            <div class="field">
                <label for=self.id.clone()>
                    {self.label.clone()} {optional.map(|word| view! { " " <span class="field-optional">{word}</span> })}
                </label>
                {self.notes()}
                {control}
            </div>
        }
    }

    /// The hint and the error, each under its id.
    pub(super) fn notes(&self) -> impl IntoView + use<> {
        let hint = self.hint.clone().map(|hint| {
            view! { <p class="field-hint" id=format!("{}-hint", self.id)>{hint}</p> }
        });
        let error = self.error.map(|error| {
            view! { <p class="field-error" id=format!("{}-error", self.id)>{error}</p> }
        });
        (hint, error)
    }

    /// The label's text, for controls that place it themselves.
    pub(super) fn label(&self) -> String {
        self.label.clone()
    }
}
