//! The version that an image for an ESP chip says it is, proposed in a form.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Element, Event, HtmlInputElement,
    js_sys::{ArrayBuffer, Function, Reflect, Uint8Array},
};

use super::{listener, part};

/// So many of its first bytes hold the version.
const HEAD_BYTES: u32 = 80;

const IMAGE_MAGIC: u8 = 0xe9;
const DESCRIPTOR_MAGIC: [u8; 4] = 0xabcd_5432_u32.to_le_bytes();
const DESCRIPTOR_AT: usize = 32;
const VERSION_AT: usize = DESCRIPTOR_AT + 16;
const VERSION_BYTES: usize = 32;

/// Fills the empty version from the image that is chosen, also from one that was chosen before
/// this runs.
pub(super) fn propose_versions(root: &Element) {
    let version: HtmlInputElement = part(root, "[name=version]").unchecked_into();
    let file: HtmlInputElement = part(root, "[name=file]").unchecked_into();
    propose(&file, &version);
    let chosen = file.clone();
    file.set_onchange(Some(&listener(move |_: Event| propose(&chosen, &version))));
}

fn propose(file: &HtmlInputElement, version: &HtmlInputElement) {
    let version = version.clone();
    let on_head = listener(move |head: ArrayBuffer| {
        let proposed = proposed_version(&Uint8Array::new(&head).to_vec());
        if let Some(proposed) = proposed.filter(|_| version.value().is_empty()) {
            version.set_value(&proposed);
        }
    });
    let image = file.files().and_then(|files| files.get(0));
    let head = image.and_then(|image| image.slice_with_f64_and_f64(0.0, HEAD_BYTES.into()).ok());
    if let Some(head) = head {
        then(&head.array_buffer(), &on_head);
    }
}

/// Calls `on_value` when the promise is kept. A typed one would want a closure that is called
/// once and dropped, and that one brings more along than this.
fn then(promise: &JsValue, on_value: &Function) {
    let then = Reflect::get(promise, &"then".into());
    let then: Option<Function> = then.ok().and_then(|then| then.dyn_into().ok());
    let _waiting = then.map(|then| then.call1(promise, on_value));
}

/// Reads the version out of the first bytes of an image; `None` for any other file.
fn proposed_version(head: &[u8]) -> Option<String> {
    let is_image = head.first() == Some(&IMAGE_MAGIC)
        && head.get(DESCRIPTOR_AT..)?.starts_with(&DESCRIPTOR_MAGIC);
    let field = head.get(VERSION_AT..VERSION_AT + VERSION_BYTES)?;
    let text = field.split(|byte| *byte == 0).next()?;
    let text = str::from_utf8(text).ok()?;
    // `git describe` and habit put a v before it, the portal does not.
    let version = text.strip_prefix('v').unwrap_or(text);
    (is_image && version.starts_with(|mark: char| mark.is_ascii_digit()))
        .then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: &str) -> Vec<u8> {
        let mut head = vec![0; HEAD_BYTES as usize];
        head[0] = IMAGE_MAGIC;
        head[DESCRIPTOR_AT..DESCRIPTOR_AT + 4].copy_from_slice(&DESCRIPTOR_MAGIC);
        head[VERSION_AT..VERSION_AT + version.len()].copy_from_slice(version.as_bytes());
        head
    }

    #[test]
    fn only_an_image_proposes_its_version() {
        assert_eq!(proposed_version(&head("1.4.0")).as_deref(), Some("1.4.0"));
        assert_eq!(
            proposed_version(&head("v1.4.0-3-gab")).as_deref(),
            Some("1.4.0-3-gab")
        );
        let full = "1.0.0-abcdefghijklmnopqrstuvwxyz";
        assert_eq!(proposed_version(&head(full)).as_deref(), Some(full));
        assert_eq!(proposed_version(&head("dirty")), None);
        let mut other = head("1.4.0");
        other[DESCRIPTOR_AT] ^= 1;
        assert_eq!(proposed_version(&other), None);
        assert_eq!(proposed_version(&head("1.4.0")[..60]), None);
        assert_eq!(proposed_version(&[]), None);
    }
}
