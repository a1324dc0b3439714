//! A manifest in a file, looked at without a portal.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use gatehouse_manifest::{Claims, ImageCheck, MAX_MANIFEST_BYTES, Refusal};

use crate::{Failure, Keys, Kind, Memory};

/// What both keys signed; `Display` writes one claim a line.
#[derive(Debug)]
pub struct Checked {
    claims: Claims,
    image_was_checked: bool,
}

/// Checks the manifest in a file, and the image it is for when that is at hand.
///
/// Nothing is remembered, so the same file may be checked again.
///
/// # Errors
/// When a file cannot be read, or the manifest or the image is refused.
pub fn check(
    manifest: &Path,
    keys: &Keys,
    current_fw: Option<&str>,
    memory: &Memory,
    image: Option<&Path>,
) -> Result<Checked, Failure> {
    let text = read_manifest(manifest)?;
    let refused = Failure::refused;
    let claims = keys.verify(&text, current_fw, memory).map_err(refused)?;
    if let Some(image) = image {
        check_image(image, &claims)?;
    }
    Ok(Checked {
        claims,
        image_was_checked: image.is_some(),
    })
}

fn read_manifest(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let enough_bytes = MAX_MANIFEST_BYTES as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(enough_bytes).read_to_end(&mut bytes))
        .map_err(|cause| unreadable(path, &cause))?;
    if bytes.len() > MAX_MANIFEST_BYTES {
        return Err(Failure::refused(Refusal::TooLong));
    }
    String::from_utf8(bytes).map_err(|_| Failure::refused(Refusal::Malformed))
}

fn check_image(path: &Path, claims: &Claims) -> Result<(), Failure> {
    let mut file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
    let mut check = ImageCheck::new(claims);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read_bytes = file
            .read(&mut buffer)
            .map_err(|cause| unreadable(path, &cause))?;
        if read_bytes == 0 {
            break;
        }
        check.push(&buffer[..read_bytes]).map_err(wrong_image)?;
    }
    check.finish().map_err(wrong_image)
}

fn wrong_image(refusal: Refusal) -> Failure {
    let sentence = format!("the image is refused ({}): {refusal}", refusal.code());
    Failure::new(Kind::BadImage, sentence)
}

fn unreadable(path: &Path, cause: &io::Error) -> Failure {
    let path = path.display();
    let sentence = format!("cannot read {path} ({cause}): correct its name");
    Failure::new(Kind::Local, sentence)
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Claims {
            project,
            version,
            release_counter,
            download_url,
            checksum,
            sha256,
            size_bytes,
            hardware,
            min_version,
            allow_downgrade,
            jti,
            iss,
            ..
        } = &self.claims;
        let hardware = match hardware.as_slice() {
            [] => "any".to_owned(),
            kinds => kinds.join(", "),
        };
        writeln!(f, "both signatures hold")?;
        writeln!(f, "project      {project}")?;
        writeln!(f, "version      {version}")?;
        writeln!(f, "release      {release_counter}")?;
        writeln!(f, "image        {size_bytes} bytes from {download_url}")?;
        writeln!(f, "SHA-256      {sha256}")?;
        writeln!(f, "CRC-32       {checksum}")?;
        writeln!(f, "hardware     {hardware}")?;
        if let Some(version) = min_version {
            writeln!(f, "from         {version} on")?;
        }
        if *allow_downgrade {
            writeln!(f, "downgrade    allowed")?;
        }
        writeln!(f, "portal       {iss}")?;
        write!(f, "manifest     {jti}")?;
        if self.image_was_checked {
            write!(f, "\nthe image is the signed one")?;
        }
        Ok(())
    }
}
