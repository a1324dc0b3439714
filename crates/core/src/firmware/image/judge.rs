//! What speaks against releasing an image.

use gatehouse_types::{
    Version,
    image::{EspFacts, ImageFacts, Objection, ObjectionKind},
};

/// What an image is measured by.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The chips that the project names, in lower case; none means any.
    pub hardware: &'a [String],
    /// What the newest published release calls its firmware.
    pub project_name: Option<&'a str>,
    /// The version that the image is uploaded as.
    pub version: &'a Version,
    /// The highest security version among the published releases.
    pub secure_version: Option<u32>,
}

/// Lists everything that speaks against an image, what no device could boot first.
///
/// Formats other than those of ESP chips are taken as they are.
pub fn judge(facts: &ImageFacts, expected: &Expected<'_>) -> Vec<Objection> {
    let Some(esp) = &facts.esp else {
        return Vec::new();
    };
    let doubts = [
        chip_differs(esp, expected.hardware),
        secure_version_falls(facts, expected.secure_version),
        name_differs(facts, expected.project_name),
        version_differs(facts, expected.version),
    ];
    damages(esp)
        .into_iter()
        .chain(doubts.into_iter().flatten())
        .collect()
}

fn damages(esp: &EspFacts) -> Vec<Objection> {
    if !esp.complete {
        // Checksum and hash of a piece are wrong of course and tell nothing more.
        let detail = "The image is cut off or its headers are damaged: it ends before everything that they announce. Build or fetch it again.";
        return vec![objection(ObjectionKind::ImageTruncated, detail)];
    }
    let checksum = (!esp.checksum_ok).then(|| {
        let detail = "The image is damaged: its checksum does not fit its segments, and no device would start it. Build or fetch it again.";
        objection(ObjectionKind::ImageChecksum, detail)
    });
    let hash = (esp.hash_ok == Some(false)).then(|| {
        let detail = "The image is damaged: the SHA-256 at its end does not fit what is before it, and no device would start it. Build or fetch it again.";
        objection(ObjectionKind::ImageHash, detail)
    });
    checksum.into_iter().chain(hash).collect()
}

fn chip_differs(esp: &EspFacts, hardware: &[String]) -> Option<Objection> {
    let is_named = hardware
        .iter()
        .any(|chip| chip.replace(['-', '_'], "") == esp.chip);
    if hardware.is_empty() || is_named {
        return None;
    }
    let detail = format!(
        "The image is built for {}, and this project is for {}. Choose the image for that chip, or add {} to the project's hardware.",
        esp.chip,
        hardware.join(", "),
        esp.chip
    );
    Some(objection(ObjectionKind::ImageChip, detail))
}

fn secure_version_falls(facts: &ImageFacts, published: Option<u32>) -> Option<Objection> {
    let (own, published) = (facts.app()?.secure_version, published?);
    (own < published).then(|| {
        let detail = format!(
            "The image has security version {own}, and a published release has {published}: devices with anti-rollback would not start it. Build it with security version {published} or higher."
        );
        objection(ObjectionKind::ImageSecureVersion, detail)
    })
}

fn name_differs(facts: &ImageFacts, published: Option<&str>) -> Option<Objection> {
    let (own, published) = (&*facts.app()?.project_name, published?);
    (own != published).then(|| {
        let detail = format!(
            "The image calls its firmware \"{own}\", and the newest published release \"{published}\". Check that it belongs to this project."
        );
        objection(ObjectionKind::ImageName, detail)
    })
}

fn version_differs(facts: &ImageFacts, uploaded_as: &Version) -> Option<Objection> {
    let own = facts.proposed_version()?;
    let is_same = own.parse::<Version>().is_ok_and(|own| own == *uploaded_as);
    (!is_same).then(|| {
        let detail = format!(
            "The image was built as version {own}, and it is uploaded as {uploaded_as}. A device that reports {own} would be offered it again and again."
        );
        objection(ObjectionKind::ImageVersion, detail)
    })
}

fn objection(code: ObjectionKind, detail: impl Into<String>) -> Objection {
    Objection {
        code,
        detail: detail.into(),
    }
}
