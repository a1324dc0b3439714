//! Where things lie in this repository.

use std::path::{Path, PathBuf};

/// The package that only the compiler for WebAssembly builds.
pub(crate) const FRONTEND_PACKAGE: &str = "gatehouse-frontend";

/// The repository's top folder, as an absolute path.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies one folder below the root")
}

/// Where everything built goes, whatever the user's cargo is set to.
pub(crate) fn target_dir() -> PathBuf {
    root().join("target")
}

/// The finished browser half, which the server's build script embeds.
pub(crate) fn site_dir() -> PathBuf {
    target_dir().join("site")
}

/// A program of this workspace as cargo leaves it, `profile` being `debug` or `release`.
pub(crate) fn binary(profile: &str, name: &str) -> PathBuf {
    target_dir().join(profile).join(name)
}

/// Scratch space of this tool inside `target`; the folder exists when this returns.
///
/// # Errors
/// When the folder cannot be made.
pub(crate) fn scratch_dir() -> std::io::Result<PathBuf> {
    let dir = target_dir().join("tmp");
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
