//! What a page makes the browser load besides itself.

use std::fs;

use anyhow::{Context, Result};

use crate::project;

const ASSETS: [&str; 2] = ["gatehouse.js", "gatehouse_bg.wasm"];

/// The scripts and WebAssembly that a page refers to, as the browser gets them: brotli.
///
/// # Errors
/// When a referred file is not in `target/site`.
pub(super) fn of(html: &str) -> Result<String> {
    let pkg = project::site_dir().join("pkg");
    let hash = fs::read_to_string(pkg.join("current"))?;
    let mut total_bytes = 0;
    let mut names = Vec::new();
    for name in ASSETS.into_iter().filter(|name| html.contains(name)) {
        let packed = pkg.join(hash.trim()).join(format!("{name}.br"));
        total_bytes += fs::metadata(&packed)
            .with_context(|| format!("{} is missing", packed.display()))?
            .len();
        names.push(name);
    }
    if names.is_empty() {
        return Ok("0 kB".to_owned());
    }
    let tenths_kb = total_bytes.div_ceil(100);
    Ok(format!(
        "{}.{} kB ({})",
        tenths_kb / 10,
        tenths_kb % 10,
        names.join(", ")
    ))
}
