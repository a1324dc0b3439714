//! The record that ESP-IDF puts at the beginning of an application's first segment.

use gatehouse_types::image::AppFacts;

use super::u32_at;

/// Where it stands in the file: behind the header and the head of the first segment.
pub(super) const OFFSET: usize = 32;
/// How long it is, reserved room included.
pub(super) const LENGTH: usize = 256;

const MAGIC: u32 = 0xABCD_5432;

/// Reads the record from an image's first bytes, when the first segment begins with one.
pub(super) fn read(head: &[u8]) -> Option<AppFacts> {
    let record = head.get(OFFSET..OFFSET + LENGTH)?;
    if u32_at(record, 0)? != MAGIC {
        return None;
    }
    let (time, date) = (text(&record[80..96]), text(&record[96..112]));
    Some(AppFacts {
        secure_version: u32_at(record, 4)?,
        version: text(&record[16..48]),
        project_name: text(&record[48..80]),
        built_at: format!("{date} {time}").trim().to_owned(),
        idf_version: text(&record[112..144]),
        elf_sha256: hex::encode(&record[144..176]),
    })
}

/// Text up to the first zero; whatever could not be shown in a line is left out.
fn text(field: &[u8]) -> String {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end])
        .chars()
        .filter(|char| !char.is_control())
        .collect()
}
