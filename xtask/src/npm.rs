//! npm packages, installed exactly as their lock file says.

use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::process;
use crate::project;
use crate::step::step;

/// Installs a folder's packages when its lock file changed since the last time.
///
/// # Errors
/// When the lock file is missing or npm fails.
pub(crate) fn install(folder: &str, reason: &str) -> Result<()> {
    let dir = project::root().join(folder);
    let lock = std::fs::read(dir.join("package-lock.json"))
        .with_context(|| format!("{folder}/package-lock.json cannot be read"))?;
    let stamp_file = dir.join("node_modules/.installed-from");
    let stamp = hex::encode(Sha256::digest(&lock));
    if std::fs::read_to_string(&stamp_file).is_ok_and(|installed| installed == stamp) {
        return Ok(());
    }
    step(&format!("npm ci in {folder}: {reason}"), || {
        process::run(npm("npm", folder).args(["ci", "--no-audit", "--no-fund"]))?;
        Ok(std::fs::write(&stamp_file, &stamp)?)
    })
}

/// Lets Playwright bring its own Chromium, for machines that are not Debian.
///
/// # Errors
/// When the download fails.
pub(crate) fn install_playwright_browser() -> Result<()> {
    step(
        "playwright install chromium: the browser that the browser tests drive",
        || process::run(npm("npx", "end2end").args(["playwright", "install", "chromium"])),
    )
}

/// A command of npm's in one of our folders; it never downloads a browser by itself.
pub(crate) fn npm(program: &str, folder: &str) -> Command {
    let mut command = process::command(program);
    command
        .current_dir(project::root().join(folder))
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    command
}
