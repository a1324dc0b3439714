//! Our reader of images beside the vendor's own: `esptool image-info` has to say the same.
//!
//! `cargo xtask setup --test` puts esptool into `target/python/esptool`. Real images are taken from
//! `shared/data` beside the checkout, where that folder is there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use gatehouse_core::firmware::image::ImageReader;
use gatehouse_esp_image::{Chip, Ending, EspImage, esp8266};
use gatehouse_types::image::{EspFacts, ImageFacts};
use libtest_mimic::{Arguments, Failed, Trial};

const NOT_INSTALLED: &str =
    "esptool is not in target/python; `cargo xtask setup --test` installs it from PyPI";

/// What both are asked about, in esptool's words.
const FACTS: [&str; 13] = [
    "Detected image type",
    "Segments",
    "Flash size",
    "Flash freq",
    "Flash mode",
    "Checksum",
    "Validation hash",
    "Project name",
    "App version",
    "Compile time",
    "ELF file SHA256",
    "ESP-IDF",
    "Secure version",
];

type Told = BTreeMap<&'static str, String>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut images = built_images();
    images.extend(real_images());
    let whole = images
        .into_iter()
        .map(|(name, image)| (name, image, both_say_the_same as Check));
    let cut = cut_images()
        .into_iter()
        .map(|(name, image)| (name, image, neither_takes_it as Check));
    let tests: Vec<_> = whole.chain(cut).collect();
    if !esptool().exists() && !arguments.list {
        return skip(tests.iter().map(|(name, ..)| name.as_str()));
    }
    let trials = tests
        .into_iter()
        .map(|(name, image, check)| Trial::test(name.clone(), move || check(&name, &image)))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

type Check = fn(&str, &[u8]) -> Result<(), Failed>;

/// Prints what `cargo xtask test` counts as skipped, each with the reason.
fn skip<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> ExitCode {
    let count = names.len();
    for name in names {
        println!("test {name} ... ignored, {NOT_INSTALLED}");
    }
    println!("test result: ok. 0 passed; 0 failed; {count} ignored; 0 measured; 0 filtered out");
    ExitCode::SUCCESS
}

fn lamp() -> EspImage<'static> {
    EspImage {
        project: "lamp",
        secure_version: 7,
        payload_bytes: 5_000,
        ..EspImage::demo("2.0.1-rc.3")
    }
}

fn built_images() -> Vec<(String, Vec<u8>)> {
    let of_chip = |chip: Chip| (chip.name.to_owned(), EspImage { chip, ..lamp() }.to_bytes());
    let with_changed_byte = |position: usize| {
        let mut image = lamp().to_bytes();
        image[position] ^= 0x21;
        image
    };
    let mut damaged_esp8266 = esp8266::v1(&[0x5A; 64], &[0xC3; 32]);
    damaged_esp8266[40] ^= 0x21;
    let without_hash = EspImage {
        ending: Ending::Checksum,
        ..lamp()
    };
    let long_words = EspImage {
        project: "a-name-that-is-longer-than-its-field",
        version: "v1.2.3-77-gabcdef0-dirty-and-more",
        ..lamp()
    };
    let others = [
        ("without_hash", without_hash.to_bytes()),
        ("long_words", long_words.to_bytes()),
        ("wrong_checksum", with_changed_byte(3_000)),
        ("wrong_hash", with_changed_byte(17)),
        ("esp8266_v1", esp8266::v1(&[0x5A; 64], &[0xC3; 32])),
        (
            "esp8266_v2",
            esp8266::v2(&[0x3C; 64], &[0x5A; 64], &[0xC3; 32]),
        ),
        ("esp8266_damaged", damaged_esp8266),
    ];
    let others = others.map(|(name, image)| (name.to_owned(), image));
    Chip::ALL.into_iter().map(of_chip).chain(others).collect()
}

fn real_images() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let files = folder.read_dir().into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "bin"))
        .map(|path| {
            let name = path.file_name().expect("a file has a name");
            let image = fs::read(&path).expect("the image can be read");
            (name.to_string_lossy().into_owned(), image)
        })
        .collect()
}

/// The first bytes of images, up to somewhere in a segment, before the checksum and in the hash.
fn cut_images() -> Vec<(String, Vec<u8>)> {
    let image = lamp().to_bytes();
    [100, 3_000, image.len() - 33, image.len() - 1]
        .map(|length| (format!("cut_after_{length}"), image[..length].to_vec()))
        .into()
}

fn both_say_the_same(name: &str, image: &[u8]) -> Result<(), Failed> {
    let theirs = ask_esptool(name, image)?;
    let ours = in_their_words(&read(image).esp.ok_or("our reader sees no ESP image")?);
    if ours == theirs {
        return Ok(());
    }
    Err(format!("we say {ours:#?}, esptool says {theirs:#?}").into())
}

fn neither_takes_it(name: &str, image: &[u8]) -> Result<(), Failed> {
    let ours = read(image).esp.ok_or("our reader sees no ESP image")?;
    if ours.complete {
        return Err("our reader takes it for whole".into());
    }
    match ask_esptool(name, image) {
        Ok(theirs) if theirs["Validation hash"] == "valid" => Err("esptool takes it".into()),
        _ => Ok(()),
    }
}

fn read(image: &[u8]) -> ImageFacts {
    let mut reader = ImageReader::new();
    image.chunks(1_000).for_each(|piece| reader.feed(piece));
    reader.finish()
}

fn ask_esptool(name: &str, image: &[u8]) -> Result<Told, Failed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("esptool");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.image"));
    fs::write(&file, image)?;
    let output = Command::new(esptool())
        .arg("image-info")
        .arg(&file)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("esptool fails: {text}").into());
    }
    Ok(text.lines().filter_map(fact).collect())
}

/// A line such as `Checksum: 0xfa (valid)`, as far as we ask for it.
fn fact(line: &str) -> Option<(&'static str, String)> {
    let (name, value) = line.split_once(": ")?;
    let name = FACTS.into_iter().find(|fact| *fact == name)?;
    let value = match name {
        "Detected image type" => value.to_lowercase().replace('-', ""),
        "Checksum" | "Validation hash" => validity(!value.contains("invalid")),
        _ => value.to_owned(),
    };
    Some((name, value))
}

fn in_their_words(facts: &EspFacts) -> Told {
    let header = [
        ("Detected image type", Some(facts.chip.clone())),
        ("Segments", Some(facts.segments.to_string())),
        ("Flash size", facts.flash_size.clone()),
        ("Flash freq", facts.flash_freq.clone()),
        (
            "Flash mode",
            facts.flash_mode.as_deref().map(str::to_uppercase),
        ),
        ("Checksum", Some(validity(facts.checksum_ok))),
        ("Validation hash", facts.hash_ok.map(validity)),
    ];
    let app = facts.app.iter().flat_map(|app| {
        [
            ("Project name", app.project_name.clone()),
            ("App version", app.version.clone()),
            ("Compile time", app.built_at.clone()),
            ("ELF file SHA256", app.elf_sha256.clone()),
            ("ESP-IDF", app.idf_version.clone()),
            ("Secure version", app.secure_version.to_string()),
        ]
    });
    let header = header
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    header.chain(app).collect()
}

fn validity(is_valid: bool) -> String {
    if is_valid { "valid" } else { "invalid" }.to_owned()
}

/// Where `xtask/src/python.rs` puts it.
fn esptool() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python/esptool/bin/esptool")
}
