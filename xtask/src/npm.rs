//! npm packages, installed exactly as their lock file says.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::process;
use crate::project;
use crate::step::{note, step};

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

/// Lets Playwright bring its own Chromium, for machines that have no package of it.
///
/// # Errors
/// When the download fails.
pub(crate) fn install_playwright_browser() -> Result<()> {
    step(
        "playwright install chromium: the browser that the browser tests drive",
        || {
            process::run(npm("npx", "end2end").args(["playwright", "install", "chromium"]))?;
            // Only a machine with apt can get them this way, and only with root's rights.
            let libraries = ["playwright", "install-deps", "chromium"];
            if process::find("apt-get").is_some()
                && process::run(npm("npx", "end2end").args(libraries)).is_err()
            {
                note("the browser's libraries could not be installed; it works if they are there");
            }
            Ok(std::fs::write(playwright_browser_stamp(), "")?)
        },
    )
}

/// Whether Playwright has brought the browser that goes with its installed version.
pub(crate) fn has_playwright_browser() -> bool {
    playwright_browser_stamp().exists()
}

/// `npm ci` removes it along with the Playwright that the browser belongs to.
fn playwright_browser_stamp() -> PathBuf {
    project::root().join("end2end/node_modules/.playwright-browser")
}

/// A command of npm's in one of our folders; it never downloads a browser by itself.
pub(crate) fn npm(program: &str, folder: &str) -> Command {
    let mut command = process::command(program);
    command
        .current_dir(project::root().join(folder))
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    command
}
