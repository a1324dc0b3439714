use core::fmt;

use crate::{
    Claims, Manifest, Refusal, Trusted,
    claims::{check_validity, cosigner_kid, project_kid},
    version,
};

/// What a device knows of itself when a manifest comes.
#[derive(Clone, Copy)]
pub struct DeviceState<'a> {
    /// The time in seconds since 1970.
    pub now_s: i64,
    /// The name of its project.
    pub project: &'a str,
    /// What it is; without it, only releases for any hardware are taken.
    pub hardware: Option<&'a str>,
    /// The version it runs, if it knows one.
    pub version: Option<&'a str>,
    /// The highest counter of all releases that it ever installed; 0 for none.
    pub release_counter: u64,
    /// Whether a manifest with this `jti` came before. The device has to remember those that it
    /// took until they expire.
    pub has_seen: &'a dyn Fn(&str) -> bool,
}

impl fmt::Debug for DeviceState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceState")
            .field("now_s", &self.now_s)
            .field("project", &self.project)
            .field("hardware", &self.hardware)
            .field("version", &self.version)
            .field("release_counter", &self.release_counter)
            .finish_non_exhaustive()
    }
}

/// Checks everything that a device can check before it asks for the image.
///
/// Signatures come first: of a message that is not signed by both, nothing else is believed. The
/// image itself is for [`ImageCheck`](crate::ImageCheck).
///
/// # Errors
/// The first thing that is wrong with it, one [`Refusal`] for each.
pub fn verify(text: &str, trusted: &Trusted, device: &DeviceState<'_>) -> Result<Claims, Refusal> {
    let manifest = Manifest::parse(text)?;
    trusted.check_independence()?;
    check_signers(&manifest, &trusted.project_id)?;
    check_signatures(&manifest, trusted)?;
    let claims: Claims = manifest.payload()?;
    check_validity(&claims.jti, claims.nbf, claims.exp, device.now_s)?;
    // The id holds no longer than it says, whatever the clocks are allowed to differ.
    if device.now_s > claims.exp {
        return Err(Refusal::Expired);
    }
    if (device.has_seen)(&claims.jti) {
        return Err(Refusal::AlreadySeen);
    }
    check_addressee(&claims, device)?;
    Ok(claims)
}

fn check_signers(manifest: &Manifest, project_id: &str) -> Result<(), Refusal> {
    let (project, cosigner) = (project_kid(project_id), cosigner_kid(project_id));
    let stranger = manifest
        .signers()
        .find(|kid| *kid != project && *kid != cosigner);
    match stranger {
        None => Ok(()),
        Some(_) if is_another_projects(manifest) => Err(Refusal::OtherProject),
        Some(_) => Err(Refusal::UnknownSigner),
    }
}

/// Whether the signers are a project and its co-signer, though not ours.
fn is_another_projects(manifest: &Manifest) -> bool {
    manifest.signers().count() == 2
        && manifest
            .signers()
            .any(|kid| manifest.signers().any(|other| other == cosigner_kid(kid)))
}

fn check_signatures(manifest: &Manifest, trusted: &Trusted) -> Result<(), Refusal> {
    let (project, cosigner) = (
        project_kid(&trusted.project_id),
        cosigner_kid(&trusted.project_id),
    );
    let checked = manifest
        .check_signature(&project, &trusted.project_keys)
        .and_then(|()| manifest.check_signature(&cosigner, &trusted.cosigner_keys));
    let one_made_both = || {
        [&trusted.project_keys, &trusted.cosigner_keys]
            .into_iter()
            .flatten()
            .map(core::slice::from_ref)
            .any(|key| {
                manifest.check_signature(&project, key).is_ok()
                    && manifest.check_signature(&cosigner, key).is_ok()
            })
    };
    match checked {
        Err(Refusal::BadSignature) if one_made_both() => Err(Refusal::SameKeyTwice),
        checked => checked,
    }
}

fn check_addressee(claims: &Claims, device: &DeviceState<'_>) -> Result<(), Refusal> {
    if claims.project != device.project {
        return Err(Refusal::OtherProject);
    }
    let fits = |hardware| claims.hardware.iter().any(|wanted| wanted == hardware);
    if !claims.hardware.is_empty() && !device.hardware.is_some_and(fits) {
        return Err(Refusal::OtherHardware);
    }
    if claims.release_counter < device.release_counter && !claims.allow_downgrade {
        return Err(Refusal::CounterTooLow);
    }
    let high_enough = claims.min_version.as_deref().is_none_or(|least| {
        device
            .version
            .is_some_and(|version| version == claims.version || version::reaches(version, least))
    });
    if !high_enough {
        return Err(Refusal::VersionTooLow);
    }
    Ok(())
}
