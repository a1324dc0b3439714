//! Carries the built pages inside the binary.
//!
//! `GATEHOUSE_SITE_DIR` names the folder that the browser half was built into:
//! `pkg/current` (the hash, as text), `pkg/<hash>/…` and `public/…`, each file beside its `.br`
//! and `.gz` twins. Without it the binary carries nothing and reads assets from disk, as
//! `cargo leptos watch` wants it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=GATEHOUSE_SITE_DIR");
    let table = match env::var_os("GATEHOUSE_SITE_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => table_of(&fs::canonicalize(dir)?)?,
        None => table_text("None", ""),
    };
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("site.rs"), table)
}

fn table_text(hash: &str, files: &str) -> String {
    format!(
        "pub(super) const HASH: Option<&str> = {hash};\npub(super) const FILES: &[Embedded] = &[\n{files}];\n"
    )
}

fn table_of(site: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", site.display());
    let hash = fs::read_to_string(site.join("pkg/current"))?
        .trim()
        .to_owned();
    let mut served = BTreeSet::new();
    let package = site.join("pkg").join(&hash);
    collect(&package, &package, &format!("/pkg/{hash}"), &mut served)?;
    let public = site.join("public");
    if public.is_dir() {
        collect(&public, &public, "", &mut served)?;
    }
    let mut files = String::new();
    for (path, file) in &served {
        write_entry(&mut files, path, file).map_err(io::Error::other)?;
    }
    Ok(table_text(&format!("Some({hash:?})"), &files))
}

/// Finds the files that are served by name; the twins go with their originals.
fn collect(
    root: &Path,
    folder: &Path,
    prefix: &str,
    served: &mut BTreeSet<(String, PathBuf)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let twin = file
            .extension()
            .is_some_and(|end| end == "br" || end == "gz");
        if file.is_dir() {
            collect(root, &file, prefix, served)?;
        } else if !twin {
            let inside = file.strip_prefix(root).map_err(io::Error::other)?;
            served.insert((format!("{prefix}/{}", inside.display()), file));
        }
    }
    Ok(())
}

#[expect(
    clippy::unnecessary_debug_formatting,
    reason = "the debug form of a path is a Rust string literal"
)]
fn write_entry(
    files: &mut String,
    path: &str,
    file: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let tag = tag_of(&fs::read(file)?);
    let twin = |end: &str| {
        let twin = PathBuf::from(format!("{}.{end}", file.display()));
        if twin.is_file() {
            format!("Some(include_bytes!({twin:?}))")
        } else {
            "None".to_owned()
        }
    };
    writeln!(
        files,
        "Embedded {{ path: {path:?}, tag: {tag:?}, identity: include_bytes!({file:?}), brotli: {}, gzip: {} }},",
        twin("br"),
        twin("gz"),
    )?;
    Ok(())
}

/// Tells versions of a file apart; nobody gains from a collision, so no cryptography.
fn tag_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:x}-{:016x}", bytes.len(), hasher.finish())
}
