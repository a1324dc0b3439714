//! The browser half, from source to `target/site`, which the server's build script embeds:
//! ```text
//! target/site/pkg/<hash>/gatehouse.js, gatehouse_bg.wasm, gatehouse.css, snippets/
//! target/site/pkg/current      names <hash>, the first 16 hex digits over those three files
//! target/site/public/…         files with names of their own (favicon)
//! ```
//! beside each file over 512 bytes its `.br` and `.gz`. Nothing is built while the sources stay as they are.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::process;
use crate::project;
use crate::step::{note, step};
use crate::wasm;

const SOURCES: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "app",
    "crates/types",
    "frontend/Cargo.toml",
    "frontend/src",
    "style",
    "xtask/src/site.rs",
];
const HASHED_FILES: [&str; 3] = ["gatehouse.js", "gatehouse_bg.wasm", "gatehouse.css"];
const PRECOMPRESS_OVER_BYTES: usize = 512;
const WASM_OPT: &str = "frontend/node_modules/binaryen/bin/wasm-opt";

/// Builds the browser half unless it is there already, made of the very same sources.
///
/// # Errors
/// When a source is missing, or one of the tools fails.
pub(crate) fn build() -> Result<()> {
    let _turn = take_turn()?;
    let stamp_file = project::root().join("target/site.stamp");
    let stamp = source_stamp()?;
    if fs::read_to_string(&stamp_file).is_ok_and(|built| built == stamp)
        && project::site_dir().join("pkg/current").exists()
    {
        return Ok(());
    }
    let raw_wasm = step("compiling the browser half to WebAssembly", wasm::compile)?;
    step("laying out target/site", || lay_out(&raw_wasm))?;
    Ok(fs::write(stamp_file, stamp)?)
}

/// Two builds at once would mix their files; the second waits and finds the work done.
fn take_turn() -> Result<fs::File> {
    let path = project::root().join("target/site.lock");
    fs::create_dir_all(project::root().join("target"))?;
    let lock = fs::File::create(path)?;
    lock.lock().context("target/site.lock cannot be locked")?;
    Ok(lock)
}

fn source_stamp() -> Result<String> {
    let mut hasher = Sha256::new();
    for source in SOURCES {
        for file in files_below(&project::root().join(source))? {
            hasher.update(file.to_string_lossy().as_bytes());
            hasher.update(Sha256::digest(fs::read(&file)?));
        }
    }
    // A machine that got npm since gets its smaller WebAssembly.
    hasher.update([u8::from(project::root().join(WASM_OPT).exists())]);
    Ok(hex::encode(hasher.finalize()))
}

/// All files in a folder and below, sorted; or the one file, when it is one.
fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))? {
        files.extend(files_below(&entry?.path())?);
    }
    files.sort();
    Ok(files)
}

/// Builds aside and swaps at the end, so that a failure leaves the former site whole.
fn lay_out(raw_wasm: &Path) -> Result<()> {
    let new_site = project::root().join("target/site.new");
    if new_site.exists() {
        fs::remove_dir_all(&new_site)?;
    }
    let unhashed = new_site.join("pkg/unhashed");
    fs::create_dir_all(&unhashed)?;
    bind(raw_wasm, &unhashed)?;
    optimise(&unhashed.join("gatehouse_bg.wasm"))?;
    fs::copy(
        project::root().join("style/main.css"),
        unhashed.join("gatehouse.css"),
    )
    .context("style/main.css cannot be copied")?;

    let hash = content_hash(&unhashed)?;
    fs::rename(&unhashed, new_site.join("pkg").join(&hash))?;
    fs::write(new_site.join("pkg/current"), &hash)?;
    copy_below(
        &project::root().join("app/public"),
        &new_site.join("public"),
    )?;
    precompress(&new_site)?;

    let site = project::site_dir();
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    Ok(fs::rename(new_site, site)?)
}

fn bind(raw_wasm: &Path, out_dir: &Path) -> Result<()> {
    Bindgen::new()
        .input_path(raw_wasm)
        .out_name("gatehouse")
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(out_dir)
        .context("wasm-bindgen cannot read the module")
}

fn optimise(wasm: &Path) -> Result<()> {
    let wasm_opt = project::root().join(WASM_OPT);
    if !wasm_opt.exists() {
        note(
            "wasm-opt is not installed (npm is missing), so the WebAssembly stays as the compiler made it",
        );
        return Ok(());
    }
    let bytes_before = fs::metadata(wasm)?.len();
    // What rustc's wasm32-unknown-unknown uses by default; wasm-bindgen drops the section that says so.
    let features = [
        "bulk-memory",
        "bulk-memory-opt",
        "multivalue",
        "mutable-globals",
        "nontrapping-float-to-int",
        "reference-types",
        "sign-ext",
    ];
    let mut node = process::command("node");
    node.arg(wasm_opt).arg("-Oz").arg(wasm).arg("-o").arg(wasm);
    node.args(features.map(|feature| format!("--enable-{feature}")));
    process::run(&mut node)?;
    note(&format!(
        "wasm-opt: {} kB to {} kB",
        bytes_before / 1000,
        fs::metadata(wasm)?.len() / 1000
    ));
    Ok(())
}

fn content_hash(dir: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    for name in HASHED_FILES {
        hasher.update(fs::read(dir.join(name))?);
    }
    Ok(hex::encode(hasher.finalize())[..16].to_owned())
}

fn copy_below(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        let copy = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(copy.parent().context("a file lies in a folder")?)?;
        fs::copy(&file, copy)?;
    }
    Ok(())
}

/// Writes `.br` and `.gz` beside each file that gets smaller by it.
fn precompress(dir: &Path) -> Result<()> {
    for file in files_below(dir)? {
        let plain = fs::read(&file)?;
        if plain.len() > PRECOMPRESS_OVER_BYTES {
            write_if_smaller(&file, "br", &brotli(&plain)?, plain.len())?;
            write_if_smaller(&file, "gz", &gzip(&plain)?, plain.len())?;
        }
    }
    Ok(())
}

fn write_if_smaller(file: &Path, suffix: &str, packed: &[u8], plain_bytes: usize) -> Result<()> {
    if packed.len() < plain_bytes {
        fs::write(format!("{}.{suffix}", file.display()), packed)?;
    }
    Ok(())
}

fn brotli(plain: &[u8]) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*plain, &mut packed, &parameters)?;
    Ok(packed)
}

fn gzip(plain: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn large_files_get_their_compressed_twins_and_small_ones_none() {
        let dir = tempfile::tempdir().unwrap();
        let text = "a line that repeats\n".repeat(100);
        fs::write(dir.path().join("large.css"), &text).unwrap();
        fs::write(dir.path().join("small.css"), "body{}").unwrap();
        precompress(dir.path()).unwrap();

        let mut from_gzip = String::new();
        let packed = fs::File::open(dir.path().join("large.css.gz")).unwrap();
        flate2::read::GzDecoder::new(packed)
            .read_to_string(&mut from_gzip)
            .unwrap();
        let mut from_brotli = Vec::new();
        let mut packed = fs::File::open(dir.path().join("large.css.br")).unwrap();
        brotli::BrotliDecompress(&mut packed, &mut from_brotli).unwrap();
        assert_eq!(from_gzip, text);
        assert_eq!(from_brotli, text.as_bytes());
        assert_eq!(files_below(dir.path()).unwrap().len(), 4);
    }
}
