//! What the pages of a project and its releases say of images that are damaged on the disk.

use gatehouse_core::Result;
use leptos::prelude::*;

use crate::{
    components::{Banner, Tone},
    context::PageContext,
    format::fill,
    links,
    visit::Visit,
};

/// The releases of a project whose images were found damaged.
pub(super) fn damaged_versions(visit: &Visit, project: &str) -> Result<Vec<String>> {
    let damaged = visit.portal.firmware.damaged_images(&visit.actor)?;
    let own = damaged.into_iter().filter(|image| image.project == project);
    Ok(own.map(|image| image.version).collect())
}

/// Names the damaged releases of a project and says what to do; nothing while all are whole.
pub(super) fn image_alarm(project: &str, versions: &[String]) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().image;
    let upload = links::upload(project).into_url();
    let named = fill(texts.damaged, &[("versions", &versions.join(", "))]);
    (!versions.is_empty()).then(|| {
        view! {
            <Banner tone=Tone::Bad title=texts.damaged_title>
                {named} " " <a href=upload>{texts.upload_again}</a>
            </Banner>
        }
    })
}
