//! The portal's own icons, drawn here so that no page asks a foreign host.

use leptos::prelude::*;

use super::Choice;
use crate::i18n::Lang;

/// Every icon a service may bear, named in the reader's language.
pub fn icon_choices(lang: Lang) -> Vec<Choice> {
    let texts = &lang.messages().services;
    let labels = [
        ("box", texts.icon_box),
        ("home", texts.icon_home),
        ("media", texts.icon_media),
        ("cloud", texts.icon_cloud),
        ("printer", texts.icon_printer),
        ("feed", texts.icon_feed),
        ("chat", texts.icon_chat),
        ("calendar", texts.icon_calendar),
        ("note", texts.icon_note),
        ("lock", texts.icon_lock),
        ("code", texts.icon_code),
        ("disk", texts.icon_disk),
    ];
    labels
        .into_iter()
        .map(|(name, label)| Choice::new(name, label))
        .collect()
}

/// A small line drawing; a name that is not known shows the box.
#[component]
pub fn Icon(
    /// One of the names in `gatehouse_types::access::ICONS`.
    #[prop(into)]
    name: String,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=outline(&name) />
        </svg>
    }
}

fn outline(name: &str) -> &'static str {
    match name {
        "home" => "M3.5 11 12 4l8.5 7M6 9.5V20h12V9.5M10 20v-5.5h4V20",
        "media" => "M3 5h18v14H3zM10 9v6l5-3z",
        "cloud" => "M7 18.5a4 4 0 0 1-.6-7.95 6 6 0 0 1 11.5 1.3A3.4 3.4 0 0 1 17.5 18.5z",
        "printer" => "M7 8V3.5h10V8M7 17H4V8h16v9h-3M7 13.5h10V21H7z",
        "feed" => "M5 11a8 8 0 0 1 8 8M5 5a14 14 0 0 1 14 14M5 17.5h1.5V19H5z",
        "chat" => "M4 4.5h16v11.5h-9L6.5 20v-4H4zM8 9h8M8 12h5",
        "calendar" => "M4 5.5h16V20H4zM4 10h16M8.5 3v4M15.5 3v4",
        "note" => "M6 3.5h9l3.5 3.5v13.5H6zM9 10h6M9 13.5h6M9 17h3.5",
        "lock" => "M5 10.5h14V20H5zM8 10.5V8a4 4 0 0 1 8 0v2.5M12 14v2.5",
        "code" => "M8 7l-5 5 5 5M16 7l5 5-5 5M13.5 5l-3 14",
        "disk" => "M4 13.5 6.5 5h11L20 13.5V19H4zM4 13.5h16M15.5 16.25h1.5",
        _ => "M4 8l8-4.5L20 8v8l-8 4.5L4 16zM4 8l8 4.5L20 8M12 12.5v8",
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_types::access::ICONS;

    use super::*;

    #[test]
    fn every_icon_of_the_portal_is_offered_and_drawn() {
        let offered: Vec<String> = icon_choices(Lang::En)
            .into_iter()
            .map(|choice| choice.value)
            .collect();
        assert_eq!(offered, ICONS);
        for name in ICONS.into_iter().filter(|name| *name != "box") {
            assert_ne!(outline(name), outline("box"), "{name}");
        }
    }
}
