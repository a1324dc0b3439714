//! What the image of a release says of itself, and what speaks against publishing it.

use gatehouse_types::{
    firmware::Release,
    image::{AppFacts, EspFacts, ImageFacts, ImageKind},
};
use leptos::prelude::*;

use crate::{
    components::{Badge, Banner, CodeBlock, Fact, Facts, Section, Tone},
    context::PageContext,
    i18n::{Image, Problem},
};

/// The facts, in words; checks as colour, word and shape.
pub(super) fn image_section(release: &Release) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().image;
    let facts = match &release.image {
        Some(facts) => told(facts, texts),
        None => view! { <p class="muted">{texts.not_read}</p> }.into_any(),
    };
    let elf = release.image.as_ref().and_then(ImageFacts::app);
    let elf = elf.map(|app| app.elf_sha256.clone());
    view! {
        <Section title=texts.title>
            {facts}
            {elf.map(|elf| view! { <CodeBlock label=texts.elf text=elf /> })}
        </Section>
    }
}

fn told(facts: &ImageFacts, texts: &'static Image) -> AnyView {
    let (kind, hint) = match facts.kind {
        ImageKind::Esp32 => (texts.kind_esp32, None),
        ImageKind::Esp8266 => (texts.kind_esp8266, None),
        ImageKind::Swupdate => (texts.kind_swupdate, Some(texts.swupdate_hint)),
        ImageKind::Rauc => (texts.kind_rauc, Some(texts.rauc_hint)),
        ImageKind::Opaque => (texts.kind_opaque, Some(texts.opaque_hint)),
    };
    let (esp, app) = (facts.esp.as_ref(), facts.app());
    let is_bare = esp.is_some() && app.is_none();
    let app = app.cloned().map(|app| app_facts(app, texts));
    let esp = esp.map(|esp| esp_facts(esp, texts));
    view! {
        <Facts>
            <Fact term=texts.kind>{kind}</Fact>
            {app}
            {esp}
        </Facts>
        {hint.map(|hint| view! { <p class="muted">{hint}</p> })}
        {is_bare.then(|| view! { <p class="muted">{texts.bootloader}</p> })}
    }
    .into_any()
}

fn app_facts(app: AppFacts, texts: &'static Image) -> impl IntoView {
    view! {
        <Fact term=texts.name>{app.project_name}</Fact>
        <Fact term=texts.version><code>{app.version}</code></Fact>
        <Fact term=texts.secure_version>{app.secure_version}</Fact>
        <Fact term=texts.idf_version>{app.idf_version}</Fact>
        <Fact term=texts.built_at>{app.built_at}</Fact>
    }
}

fn esp_facts(esp: &EspFacts, texts: &'static Image) -> impl IntoView + use<> {
    let flash: Vec<_> = [&esp.flash_size, &esp.flash_mode, &esp.flash_freq]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let (checksum_tone, checksum) = if esp.checksum_ok {
        (Tone::Good, texts.right)
    } else {
        (Tone::Bad, texts.wrong)
    };
    let (hash_tone, hash) = match esp.hash_ok {
        Some(true) => (Tone::Good, texts.hash_right),
        Some(false) => (Tone::Bad, texts.hash_wrong),
        None => (Tone::Idle, texts.no_hash),
    };
    let chip = esp.chip.clone();
    view! {
        <Fact term=texts.chip><code>{chip}</code></Fact>
        <Fact term=texts.flash>{flash.join(", ")}</Fact>
        <Fact term=texts.checksum><Badge tone=checksum_tone label=checksum /></Fact>
        <Fact term=texts.hash><Badge tone=hash_tone label=hash /></Fact>
    }
}

/// A sentence for each objection; one that nobody may overrule looks the graver.
pub(super) fn objection_banners(release: &Release) -> impl IntoView + use<> {
    let page = PageContext::current();
    let title = page.messages().image.objections;
    release
        .objections
        .iter()
        .filter_map(|objection| {
            let problem = Problem::from_code(objection.code.code())?;
            let tone = if objection.code.may_be_overruled() {
                Tone::Warn
            } else {
                Tone::Bad
            };
            let sentence = problem.text(page.lang);
            Some(view! { <Banner tone=tone title=title>{sentence}</Banner> })
        })
        .collect_view()
}

#[cfg(test)]
mod tests {
    use gatehouse_types::firmware::ReleaseState;

    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_image, demo_release, render},
    };

    fn html(image: Option<ImageFacts>) -> String {
        let release = Release {
            image,
            ..demo_release(ReleaseState::Draft)
        };
        let html = render(context(""), || image_section(&release));
        assert_sound(&html);
        html
    }

    #[test]
    fn a_check_is_told_by_a_word_and_not_by_colour_alone() {
        let good = html(Some(demo_image(Some(true))));
        assert!(good.contains("lamp-firmware") && good.contains("8MB, dio, 80m"));
        assert_eq!(good.matches(">Right<").count(), 2, "{good}");
        let broken = html(Some(demo_image(Some(false))));
        assert!(broken.contains("badge-bad") && broken.contains(">Wrong<"));
        assert!(html(Some(demo_image(None))).contains("None appended"));
    }

    #[test]
    fn what_the_portal_does_not_read_is_said() {
        let opaque = html(Some(ImageFacts::plain(ImageKind::Opaque)));
        assert!(opaque.contains("knows nothing about this format"));
        assert!(html(None).contains("before this portal read images"));
    }
}
