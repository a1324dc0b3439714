//! What a device has to know to check releases by itself, in the forms that its program may take.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::ValueEnum;
use gatehouse_types::manifest::{Jwk, ProjectKeys};
use serde::Deserialize;
use serde_json::json;

/// How the keys that a device has to know are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyFormat {
    /// All of it in one JSON document, as the API answers it
    #[default]
    Json,
    /// Public keys in PEM form, the project's first
    Pem,
    /// A JSON Web Key Set
    Jwk,
    /// A header for programs in C
    Header,
}

impl KeyFormat {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Pem => "application/x-pem-file",
            Self::Jwk => "application/jwk-set+json",
            Self::Header => "text/plain; charset=utf-8",
        }
    }
}

/// A file of an export.
pub(crate) struct KeyFile {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The files of an export; the project's keys stand before the co-signer's.
pub(crate) fn of(keys: &ProjectKeys, format: KeyFormat) -> Vec<KeyFile> {
    let one = |name: &str, text| {
        vec![KeyFile {
            name: name.to_owned(),
            text,
        }]
    };
    match format {
        KeyFormat::Json => one("gatehouse_keys.json", format!("{:#}\n", json!(keys))),
        KeyFormat::Jwk => {
            let set: Vec<&Jwk> = all(keys).into_iter().map(|key| key.jwk).collect();
            let set = json!({ "keys": set });
            one("gatehouse_keys.jwks", format!("{set:#}\n"))
        }
        KeyFormat::Header => one("gatehouse_keys.h", header(keys)),
        KeyFormat::Pem => all(keys)
            .into_iter()
            .map(|key| KeyFile {
                name: format!("{}.pem", key.name),
                text: key.pem.to_owned(),
            })
            .collect(),
    }
}

/// One public key of an export.
struct Key<'a> {
    name: &'static str,
    pem: &'a str,
    jwk: &'a Jwk,
}

fn all(keys: &ProjectKeys) -> Vec<Key<'_>> {
    let next = |name, pem, jwk| Some((name, Option::as_deref(pem)?, Option::as_ref(jwk)?));
    [
        Some(("project", &*keys.project_pem, &keys.project_jwk)),
        next(
            "next_project",
            &keys.next_project_pem,
            &keys.next_project_jwk,
        ),
        Some(("cosigner", &*keys.cosigner_pem, &keys.cosigner_jwk)),
        next(
            "next_cosigner",
            &keys.next_cosigner_pem,
            &keys.next_cosigner_jwk,
        ),
    ]
    .into_iter()
    .flatten()
    .map(|(name, pem, jwk)| Key { name, pem, jwk })
    .collect()
}

/// Names and keys as constants; a point stands as 04, X and Y, which most libraries take as it is.
fn header(keys: &ProjectKeys) -> String {
    let (id, project) = (keys.project_id, &keys.project);
    let mut text = format!(
        "/* What a device of the project \"{project}\" trusts. A release's manifest bears two signatures:\n \
         * one of the project and one of the co-signer. Nothing in this file is secret. */\n\
         #ifndef GATEHOUSE_KEYS_H\n#define GATEHOUSE_KEYS_H\n\n\
         #define GATEHOUSE_PROJECT \"{project}\"\n\
         #define GATEHOUSE_PROJECT_KID \"{id}\"\n\
         #define GATEHOUSE_COSIGNER_KID \"project/{id}\"\n"
    );
    for key in all(keys) {
        let name = key.name;
        let constant = name.to_ascii_uppercase();
        // Both writes go into memory, which cannot fail.
        let _ = write!(
            text,
            "\n#define GATEHOUSE_HAS_{constant}_KEY 1\nstatic const char gatehouse_{name}_pem[] ="
        );
        for line in key.pem.lines() {
            let _ = write!(text, "\n    \"{line}\\n\"");
        }
        let point = point(key.jwk);
        let _ = write!(
            text,
            ";\nstatic const unsigned char gatehouse_{name}_point[{}] = {{",
            point.len()
        );
        for line in point.chunks(13) {
            let bytes: Vec<String> = line.iter().map(|byte| format!("0x{byte:02x}")).collect();
            let _ = write!(text, "\n    {},", bytes.join(", "));
        }
        text.push_str("\n};\n");
    }
    text.push_str("\n#endif\n");
    text
}

/// The uncompressed point of a P-256 key (SEC 1), or the 32 bytes of an Ed25519 one.
fn point(jwk: &Jwk) -> Vec<u8> {
    let decoded = |text: &String| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let x = decoded(&jwk.x);
    match &jwk.y {
        Some(y) => [vec![4], x, decoded(y)].concat(),
        None => x,
    }
}
