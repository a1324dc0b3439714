//! What speaks against releasing an image.

use gatehouse_types::{
    Version,
    image::{EspFacts, ImageFacts, ImageKind, Objection, ObjectionKind},
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
        secure_version_missing(facts, expected.secure_version),
        name_differs(facts, expected.project_name),
        name_missing(facts, expected.project_name),
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

/// A published security version above 0 is lost when an image without any replaces it.
fn secure_version_missing(facts: &ImageFacts, published: Option<u32>) -> Option<Objection> {
    // The ESP8266 knows no anti-rollback, so none of its images carries a security version.
    let may_carry_one = facts.kind == ImageKind::Esp32;
    let published = published.filter(|published| *published > 0)?;
    (may_carry_one && is_nameless(facts)).then(|| {
        let detail = format!(
            "The image carries no security version, and a published release has {published}: is it a bootloader or a factory image? Upload the application's image, built with security version {published} or higher."
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

fn name_missing(facts: &ImageFacts, published: Option<&str>) -> Option<Objection> {
    let published = published.filter(|published| !published.is_empty())?;
    is_nameless(facts).then(|| {
        let detail = format!(
            "The image carries no name: is it a bootloader or a factory image? The newest published release calls its firmware \"{published}\". Check that it belongs to this project."
        );
        objection(ObjectionKind::ImageName, detail)
    })
}

/// Tells whether a whole ESP image has no application descriptor.
///
/// Of a piece it cannot be told: the descriptor may be in what is missing.
fn is_nameless(facts: &ImageFacts) -> bool {
    let is_whole = facts.esp.as_ref().is_some_and(|esp| esp.complete);
    is_whole && facts.app().is_none()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a whole bootloader: an ESP image without an application descriptor.
    fn bootloader(kind: ImageKind) -> ImageFacts {
        ImageFacts {
            kind,
            esp: Some(EspFacts {
                chip: "esp32s3".to_owned(),
                segments: 3,
                flash_mode: None,
                flash_size: None,
                flash_freq: None,
                complete: true,
                checksum_ok: true,
                hash_ok: Some(true),
                app: None,
            }),
        }
    }

    fn objections(
        facts: &ImageFacts,
        project_name: Option<&str>,
        secure_version: Option<u32>,
    ) -> Vec<Objection> {
        let expected = Expected {
            hardware: &[],
            project_name,
            version: &"2.0.1".parse().expect("a version"),
            secure_version,
        };
        judge(facts, &expected)
    }

    fn codes(
        facts: &ImageFacts,
        project_name: Option<&str>,
        secure_version: Option<u32>,
    ) -> Vec<ObjectionKind> {
        let objections = objections(facts, project_name, secure_version);
        objections.into_iter().map(|one| one.code).collect()
    }

    #[test]
    fn an_image_without_a_name_is_objected_to_where_a_release_has_one() {
        for kind in [ImageKind::Esp32, ImageKind::Esp8266] {
            let found = objections(&bootloader(kind), Some("lamp"), Some(0));
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].code, ObjectionKind::ImageName);
            assert!(
                found[0].detail.contains("carries no name: is it a"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn an_image_without_a_security_version_is_objected_to_where_a_release_has_one() {
        assert_eq!(
            codes(&bootloader(ImageKind::Esp32), Some("lamp"), Some(3)),
            [ObjectionKind::ImageSecureVersion, ObjectionKind::ImageName]
        );
        assert_eq!(
            codes(&bootloader(ImageKind::Esp8266), Some(""), Some(3)),
            []
        );
    }

    #[test]
    fn a_first_release_without_a_name_is_judged_by_nothing() {
        assert_eq!(codes(&bootloader(ImageKind::Esp32), None, None), []);
        assert_eq!(codes(&bootloader(ImageKind::Esp32), Some(""), Some(0)), []);
        let opaque = ImageFacts::plain(ImageKind::Opaque);
        assert_eq!(codes(&opaque, Some("lamp"), Some(3)), []);
    }

    #[test]
    fn a_piece_is_only_said_to_be_one() {
        let mut piece = bootloader(ImageKind::Esp32);
        piece.esp.as_mut().expect("an ESP image").complete = false;
        assert_eq!(
            codes(&piece, Some("lamp"), Some(3)),
            [ObjectionKind::ImageTruncated]
        );
    }
}
