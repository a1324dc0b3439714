//! What a firmware image says of itself, and what speaks against releasing it.

use serde::{Deserialize, Serialize};

use crate::{Version, codes};

/// The formats that the portal tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ImageKind {
    /// An application or bootloader for a chip of the ESP32 family.
    Esp32,
    /// An application or bootloader for the ESP8266.
    Esp8266,
    /// An update for SWUpdate: a cpio archive that begins with its description.
    Swupdate,
    /// A bundle for RAUC: a file system with its signature behind it.
    Rauc,
    /// Anything else; it is taken as it is.
    Opaque,
}

impl ImageKind {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Esp32 => "esp32",
            Self::Esp8266 => "esp8266",
            Self::Swupdate => "swupdate",
            Self::Rauc => "rauc",
            Self::Opaque => "opaque",
        }
    }
}

/// What was read from an image while it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImageFacts {
    /// Which format it is.
    pub kind: ImageKind,
    /// The facts of an image for the ESP32 family or the ESP8266; `null` for the others.
    pub esp: Option<EspFacts>,
}

impl ImageFacts {
    /// Tells of an image of which no more is known than its format.
    pub const fn plain(kind: ImageKind) -> Self {
        Self { kind, esp: None }
    }

    /// What the application says of itself, when there is an application descriptor.
    pub fn app(&self) -> Option<&AppFacts> {
        self.esp.as_ref()?.app.as_ref()
    }

    /// The version to upload it as, when the image names one that a release can have.
    ///
    /// Builds from a working copy often name a commit instead, and that is no version.
    pub fn proposed_version(&self) -> Option<String> {
        let own = &self.app()?.version;
        let bare = own.strip_prefix('v').unwrap_or(own);
        bare.parse::<Version>().ok().map(|_| bare.to_owned())
    }
}

/// What the header of an ESP image says, and whether its bytes are whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EspFacts {
    /// The chip it is built for, such as `esp32s3`.
    pub chip: String,
    /// How many segments the header announces.
    pub segments: u8,
    /// How the flash is read, such as `dio`; `null` when the byte means nothing.
    pub flash_mode: Option<String>,
    /// How large the flash is, such as `8MB`; `null` when the bits mean nothing for this chip.
    pub flash_size: Option<String>,
    /// How fast the flash is clocked, such as `80m`; `null` when the bits mean nothing for this chip.
    pub flash_freq: Option<String>,
    /// Whether everything that the headers announce is there.
    pub complete: bool,
    /// Whether the checksum over the segments is right; `false` when the image ends before it.
    pub checksum_ok: bool,
    /// Whether the appended SHA-256 is right; `null` when the header announces none.
    pub hash_ok: Option<bool>,
    /// What the application says of itself; bootloaders and ESP8266 images have no such record.
    pub app: Option<AppFacts>,
}

/// The application descriptor that ESP-IDF puts into an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppFacts {
    /// The name of the firmware's own project, at most 31 bytes of it.
    pub project_name: String,
    /// The version it was built as, at most 31 bytes of it.
    pub version: String,
    /// The number that never falls on a device with anti-rollback.
    pub secure_version: u32,
    /// The version of ESP-IDF, such as `v5.4.2`.
    pub idf_version: String,
    /// SHA-256 of the ELF file it came from, 64 hex digits; crash dumps name its beginning.
    pub elf_sha256: String,
    /// Date and time of the build as the compiler wrote them, such as `Aug 11 2025 22:49:56`.
    pub built_at: String,
}

/// What may speak against releasing an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ObjectionKind {
    /// It ends before its headers say so.
    ImageTruncated,
    /// Its checksum is wrong.
    ImageChecksum,
    /// Its appended SHA-256 is wrong.
    ImageHash,
    /// It is built for a chip that the project does not name.
    ImageChip,
    /// Its security version is lower than one that is published.
    ImageSecureVersion,
    /// It belongs to another firmware than what was published before.
    ImageName,
    /// It was built as another version than it is uploaded as.
    ImageVersion,
}

impl ObjectionKind {
    /// The code in problem answers and in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ImageTruncated => codes::IMAGE_TRUNCATED,
            Self::ImageChecksum => codes::IMAGE_CHECKSUM,
            Self::ImageHash => codes::IMAGE_HASH,
            Self::ImageChip => codes::IMAGE_CHIP,
            Self::ImageSecureVersion => codes::IMAGE_SECURE_VERSION,
            Self::ImageName => codes::IMAGE_NAME,
            Self::ImageVersion => codes::IMAGE_VERSION,
        }
    }

    /// Tells whether an admin may publish the image all the same.
    ///
    /// Names are a matter of opinion; no device boots an image of which the others are true.
    pub const fn may_be_overruled(self) -> bool {
        matches!(self, Self::ImageName | Self::ImageVersion)
    }
}

/// One thing that speaks against releasing an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Objection {
    /// What it is, from a closed set.
    pub code: ObjectionKind,
    /// A sentence for people: what is wrong and what would do.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTIONS: [ObjectionKind; 7] = [
        ObjectionKind::ImageTruncated,
        ObjectionKind::ImageChecksum,
        ObjectionKind::ImageHash,
        ObjectionKind::ImageChip,
        ObjectionKind::ImageSecureVersion,
        ObjectionKind::ImageName,
        ObjectionKind::ImageVersion,
    ];

    #[test]
    fn an_objection_has_the_same_word_in_json_and_in_problems() {
        for kind in OBJECTIONS {
            assert_eq!(serde_json::json!(kind), kind.code());
        }
    }

    #[test]
    fn a_kind_has_the_same_word_in_json_and_in_the_database() {
        for kind in [
            ImageKind::Esp32,
            ImageKind::Esp8266,
            ImageKind::Swupdate,
            ImageKind::Rauc,
            ImageKind::Opaque,
        ] {
            assert_eq!(serde_json::json!(kind), kind.as_str());
        }
    }
}
