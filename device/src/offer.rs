//! What the portal offers, after a look at every member that this program relies on.

use gatehouse_manifest::Claims;
use gatehouse_types::{Version, firmware::Update, limits};
use reqwest::Url;

use crate::{Failure, Kind};

/// An update that makes sense: each member has the shape it should have.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The version to install.
    pub version: String,
    /// The file's name, a single path segment.
    pub file_name: String,
    /// Where the image is.
    pub url: Url,
    /// The image's length, at least 1.
    pub size_bytes: u64,
    /// 64 lower-case hex digits.
    pub sha256: String,
    /// Where the manifest is that two keys signed, if there is one.
    pub manifest_url: Option<Url>,
    /// What the manifest says, once both signatures hold; the members above are then those signed.
    pub signed: Option<Box<Claims>>,
    /// Ask again after this many seconds.
    pub next_poll_s: u64,
}

impl Offer {
    /// Checks what the portal at `portal` said.
    pub(crate) fn new(update: Update, portal: &Url) -> Result<Self, Failure> {
        let url = reachable(&update.url, portal).ok_or_else(|| nonsense("url"))?;
        let manifest_url = match &update.manifest_url {
            Some(url) => Some(reachable(url, portal).ok_or_else(|| nonsense("manifest_url"))?),
            None => None,
        };
        let size_bytes = u64::try_from(update.size_bytes).ok();
        let sha256 = update.sha256.to_ascii_lowercase();
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(nonsense("sha256"));
        }
        if update.version.parse::<Version>().is_err() {
            return Err(nonsense("version"));
        }
        limits::file_name(&update.file_name).map_err(|_| nonsense("file_name"))?;
        Ok(Self {
            version: update.version,
            file_name: update.file_name,
            url,
            size_bytes: size_bytes
                .filter(|size| *size > 0)
                .ok_or_else(|| nonsense("size_bytes"))?,
            sha256,
            manifest_url,
            signed: None,
            next_poll_s: update.next_poll_s,
        })
    }

    /// The offer as two keys signed it: their word counts, not the portal's answer.
    pub(crate) fn with_claims(self, claims: Claims, portal: &Url) -> Result<Self, Failure> {
        let wrong = |member| {
            let sentence = format!(
                "both keys signed a `{member}` that this device cannot use: publish the release \
                 again, and look at the portal's public_url"
            );
            Failure::new(Kind::BadAnswer, sentence)
        };
        if claims.size_bytes == 0 {
            return Err(wrong("size_bytes"));
        }
        Ok(Self {
            version: claims.version.clone(),
            url: reachable(&claims.download_url, portal).ok_or_else(|| wrong("download_url"))?,
            size_bytes: claims.size_bytes,
            sha256: claims.sha256.clone(),
            signed: Some(Box::new(claims)),
            ..self
        })
    }
}

/// A web address to which this device may show its token: one that came over TLS must not leave it.
fn reachable(text: &str, portal: &Url) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let stays_safe = portal.scheme() != "https" || url.scheme() == "https";
    (is_web && stays_safe).then_some(url)
}

fn nonsense(member: &str) -> Failure {
    let sentence = format!(
        "the portal's offer has a `{member}` that a device cannot use: check that --url is a \
         Gatehouse portal and look at its public_url"
    );
    Failure::new(Kind::BadAnswer, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update() -> Update {
        Update {
            version: "1.2.0".to_owned(),
            file_name: "lamp-1.2.0.bin".to_owned(),
            url: "https://portal.example/firmware/lamp/lamp-1.2.0.bin".to_owned(),
            size_bytes: 7,
            sha256: "AB".repeat(32),
            md5: "cd".repeat(16),
            manifest_url: None,
            next_poll_s: 3_600,
        }
    }

    fn portal() -> Url {
        Url::parse("https://portal.example/").unwrap()
    }

    #[test]
    fn a_good_offer_is_taken_with_its_digest_in_lower_case() {
        let offer = Offer::new(update(), &portal()).unwrap();
        assert_eq!(offer.sha256, "ab".repeat(32));
        assert_eq!(offer.size_bytes, 7);
    }

    #[test]
    fn each_senseless_member_is_named() {
        let spoiled = |member: &str, value: &str| {
            let mut offer = serde_json::to_value(update()).unwrap();
            offer[member] = value.parse().unwrap_or_else(|_| value.into());
            serde_json::from_value(offer).unwrap()
        };
        for (member, value) in [
            ("url", "firmware/x"),
            ("url", "file:///etc/passwd"),
            ("url", "http://portal.example/x"),
            ("manifest_url", "http://portal.example/x"),
            ("manifest_url", "manifest"),
            ("size_bytes", "0"),
            ("size_bytes", "-7"),
            ("sha256", "abc"),
            ("version", "\u{1b}[2J"),
            ("file_name", "../x"),
        ] {
            let failure = Offer::new(spoiled(member, value), &portal()).unwrap_err();
            assert_eq!(failure.kind(), Kind::BadAnswer);
            assert!(
                failure.to_string().contains(&format!("`{member}`")),
                "{failure}"
            );
        }
    }
}
