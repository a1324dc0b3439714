//! What speaks against releasing an image in its project, as the project stands now.

use gatehouse_types::{
    Version,
    image::{ImageFacts, Objection},
};

use super::{
    CatalogProject,
    image::{Expected, judge},
};
use crate::{Error, Result, ports::firmware::ReleaseRecord};

impl CatalogProject {
    /// Lists what speaks against releasing an image as this version.
    ///
    /// Only what is published now is compared with: after a wrong release was withdrawn, its
    /// name and security version bind nobody.
    pub(super) fn objections(&self, facts: &ImageFacts, version: &Version) -> Vec<Objection> {
        let published = || {
            self.published()
                .filter_map(|release| release.record.image.as_ref()?.app())
        };
        let newest = published().next_back();
        let expected = Expected {
            hardware: &self.record.hardware,
            project_name: newest.map(|app| app.project_name.as_str()),
            version,
            secure_version: published().map(|app| app.secure_version).max(),
        };
        judge(facts, &expected)
    }

    /// Lists what speaks against publishing a release that is stored.
    pub(super) fn objections_to(&self, record: &ReleaseRecord) -> Vec<Objection> {
        let Some(facts) = &record.image else {
            return Vec::new();
        };
        record
            .version_key
            .parse()
            .map_or_else(|_| Vec::new(), |version| self.objections(facts, &version))
    }
}

/// Refuses an image of which something is true that no admin may overrule.
///
/// # Errors
/// When there is such an objection; the sentences of all of them are told.
pub(super) fn refuse_unfit(objections: &[Objection]) -> Result<()> {
    let worst = objections
        .iter()
        .find(|objection| !objection.code.may_be_overruled());
    match worst {
        None => Ok(()),
        Some(worst) => Err(Error::Unfit {
            code: worst.code.code(),
            detail: sentences(objections),
        }),
    }
}

/// Refuses to publish while somebody has to look first.
///
/// # Errors
/// When there is an objection; the sentences of all of them are told.
pub(super) fn refuse_doubted(objections: &[Objection]) -> Result<()> {
    match objections.first() {
        None => Ok(()),
        Some(first) => Err(Error::conflict(first.code.code(), sentences(objections))),
    }
}

/// Tells for the audit trail what was published in spite of, such as `anyway: image_name`.
pub(super) fn overruled(objections: &[Objection]) -> String {
    let codes: Vec<&str> = objections
        .iter()
        .map(|objection| objection.code.code())
        .collect();
    if codes.is_empty() {
        String::new()
    } else {
        format!("anyway: {}", codes.join(", "))
    }
}

fn sentences(objections: &[Objection]) -> String {
    let details: Vec<&str> = objections
        .iter()
        .map(|objection| &*objection.detail)
        .collect();
    details.join(" ")
}
