//! The chips that an ESP image may be for, and what the two bytes about flash mean on each.

/// A chip's name and how its boot loader reads the header.
pub(super) struct Chip {
    /// The name in a project's hardware.
    pub(super) name: &'static str,
    /// The number in the extended header.
    id: u16,
    /// Names of the upper four bits of the header's fourth byte.
    sizes: Names,
    /// Names of the lower four bits of the header's fourth byte.
    freqs: Names,
}

type Names = &'static [(u8, &'static str)];

const FREQS: Names = &[(0xF, "80m"), (0, "40m"), (1, "26m"), (2, "20m")];
const FREQS_C2: Names = &[(0xF, "60m"), (0, "30m"), (1, "20m"), (2, "15m")];
const FREQS_C5: Names = &[(0xF, "80m"), (0, "40m"), (2, "20m")];
/// The boot loader of the C6 sets the full speed by itself, so images say 0 for it.
const FREQS_C6: Names = &[(0, "80m"), (2, "20m")];
const FREQS_H2: Names = &[(0xF, "48m"), (0, "24m"), (1, "16m"), (2, "12m")];
const FREQS_H4: Names = &[(0xF, "48m"), (0, "24m")];

/// The ids are those of `esp_chip_id_t` in ESP-IDF.
static ESP32_FAMILY: [Chip; 14] = [
    Chip::new("esp32", 0, FREQS),
    Chip::new("esp32s2", 2, FREQS),
    Chip::new("esp32c3", 5, FREQS),
    Chip::new("esp32s3", 9, FREQS),
    Chip::new("esp32c2", 12, FREQS_C2),
    Chip::new("esp32c6", 13, FREQS_C6),
    Chip::new("esp32h2", 16, FREQS_H2),
    Chip::new("esp32p4", 18, FREQS),
    Chip::new("esp32c61", 20, FREQS_C5),
    Chip::new("esp32c5", 23, FREQS_C5),
    Chip::new("esp32h21", 25, FREQS_H4),
    Chip::new("esp32h4", 28, FREQS_H4),
    Chip::new("esp32e22", 31, FREQS),
    Chip::new("esp32s31", 32, FREQS_C5),
];
const SIZES: Names = &[
    (0, "1MB"),
    (1, "2MB"),
    (2, "4MB"),
    (3, "8MB"),
    (4, "16MB"),
    (5, "32MB"),
    (6, "64MB"),
    (7, "128MB"),
];

/// It has no extended header and so no number.
pub(super) static ESP8266: Chip = Chip {
    name: "esp8266",
    id: u16::MAX,
    sizes: ESP8266_SIZES,
    freqs: FREQS,
};
const ESP8266_SIZES: Names = &[
    (0, "512KB"),
    (1, "256KB"),
    (2, "1MB"),
    (3, "2MB"),
    (4, "4MB"),
    (5, "2MB-c1"),
    (6, "4MB-c1"),
    (8, "8MB"),
    (9, "16MB"),
];

const MODES: Names = &[(0, "qio"), (1, "qout"), (2, "dio"), (3, "dout")];

impl Chip {
    const fn new(name: &'static str, id: u16, freqs: Names) -> Self {
        Self {
            name,
            id,
            sizes: SIZES,
            freqs,
        }
    }

    /// Finds a chip of the ESP32 family by the number in the extended header.
    pub(super) fn by_id(id: u16) -> Option<&'static Self> {
        ESP32_FAMILY.iter().find(|chip| chip.id == id)
    }

    /// The flash's clock, from the header's fourth byte.
    pub(super) fn flash_freq(&self, byte: u8) -> Option<String> {
        named(self.freqs, byte & 0x0F)
    }

    /// The flash's size, from the header's fourth byte.
    pub(super) fn flash_size(&self, byte: u8) -> Option<String> {
        named(self.sizes, byte >> 4)
    }
}

/// How the flash is read, from the header's third byte.
pub(super) fn flash_mode(byte: u8) -> Option<String> {
    named(MODES, byte)
}

fn named(names: Names, value: u8) -> Option<String> {
    names
        .iter()
        .find(|(number, _)| *number == value)
        .map(|(_, name)| (*name).to_owned())
}
