//! The compiler for `wasm32-unknown-unknown`, and compiling the browser half with it.
//!
//! Two ways lead to the target's standard library: rustup brings it ready made, or Debian's own
//! compiler builds it from Debian's source package. The second is for machines that reach
//! Debian's packages but not rustup's server.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, find};
use crate::project;

const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler, its source, and the linker that `rust-lld` points to (apt does not pull that one in).
pub(crate) const DEBIAN_PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "lld-22",
];

/// Chooses the compiler where both are there: `rustup` or `debian`. CI and bug hunts want this.
pub(crate) const CHOICE_VARIABLE: &str = "GATEHOUSE_WASM_COMPILER";

/// Where the target's standard library comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// The workspace's own toolchain, with the target added.
    Rustup,
    /// `/usr/bin/rustc`, which builds the standard library along.
    Debian,
}

/// The compiler that is ready to use, if any.
///
/// # Errors
/// When the environment names one that does not exist.
pub(crate) fn installed() -> Result<Option<Compiler>> {
    let choice = std::env::var(CHOICE_VARIABLE).ok();
    Ok(match choice.as_deref() {
        Some("rustup") => has_rustup_target().then_some(Compiler::Rustup),
        Some("debian") => has_debian_packages().then_some(Compiler::Debian),
        Some(other) => bail!("{CHOICE_VARIABLE} is `{other}`; it can be `rustup` or `debian`"),
        None if has_rustup_target() => Some(Compiler::Rustup),
        None => has_debian_packages().then_some(Compiler::Debian),
    })
}

/// Asks rustup for the target, and says whether it is there now.
pub(crate) fn add_rustup_target() -> bool {
    if find("rustup").is_none()
        || std::env::var(CHOICE_VARIABLE).is_ok_and(|choice| choice == "debian")
    {
        return false;
    }
    println!("==> rustup target add: the browser half is compiled to WebAssembly");
    let mut rustup = process::command("rustup");
    // Where its server is out of reach, one try tells.
    rustup
        .args(["target", "add", TARGET])
        .env("RUSTUP_MAX_RETRIES", "1");
    process::run(&mut rustup).is_ok() && has_rustup_target()
}

fn has_rustup_target() -> bool {
    let mut rustup = process::command("rustup");
    rustup.args(["target", "list", "--installed"]);
    process::output(&mut rustup).is_ok_and(|list| list.lines().any(|line| line == TARGET))
}

fn has_debian_packages() -> bool {
    let mut query = process::command("dpkg-query");
    query
        .args(["--show", "--showformat=${db:Status-Status}\\n"])
        .args(DEBIAN_PACKAGES);
    process::output(&mut query).is_ok_and(|list| {
        list.lines().filter(|line| *line == "installed").count() == DEBIAN_PACKAGES.len()
    })
}

/// Compiles the browser half and returns the raw module, before wasm-bindgen.
///
/// # Errors
/// When there is no compiler or it fails.
pub(crate) fn compile() -> Result<PathBuf> {
    let compiler = installed()?
        .context("no compiler for WebAssembly is installed; run `cargo xtask setup`")?;
    let mut cargo = match compiler {
        Compiler::Rustup => process::cargo(),
        Compiler::Debian => debian_cargo()?,
    };
    // A target folder of its own: two compilers in one would throw away each other's work.
    let target_dir = project::root().join("target/wasm");
    cargo
        .args(["build", "--lib", "--package", project::FRONTEND_PACKAGE])
        .args([
            "--target",
            TARGET,
            "--profile",
            "wasm-release",
            "--target-dir",
        ])
        .arg(&target_dir);
    process::run(&mut cargo)?;
    Ok(target_dir
        .join(TARGET)
        .join("wasm-release/gatehouse_frontend.wasm"))
}

/// Debian's cargo, freed of what rustup's cargo told this process about its own toolchain.
fn debian_cargo() -> Result<Command> {
    let old_path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(PathBuf::from("/usr/bin")).chain(std::env::split_paths(&old_path));
    let mut cargo = process::command("/usr/bin/cargo");
    for name in [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
        "RUSTC_WRAPPER",
    ] {
        cargo.env_remove(name);
    }
    cargo
        .env("PATH", std::env::join_paths(dirs)?)
        // `-Z` flags on a stable compiler; only the browser half is ever built this way.
        .env("RUSTC_BOOTSTRAP", "1")
        .arg("-Zbuild-std=std,panic_abort");
    Ok(cargo)
}
