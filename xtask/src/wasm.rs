//! The compiler for `wasm32-unknown-unknown`, and compiling the browser half with it.
//!
//! Two ways lead to the target's standard library: rustup brings it ready made, or Debian's own
//! compiler builds it from Debian's source package. The second is for machines that reach
//! Debian's packages but not rustup's server.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
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
    let cargo_home = cargo_home().context("neither CARGO_HOME nor HOME is set")?;
    // Of this way to pass them alone it matters not whether a path has spaces.
    cargo.env(
        "CARGO_ENCODED_RUSTFLAGS",
        without_paths(&cargo_home, project::root()),
    );
    process::run(&mut cargo)?;
    let module = target_dir
        .join(TARGET)
        .join("wasm-release/gatehouse_frontend.wasm");
    refuse_paths(&module, &[&cargo_home, project::root()])?;
    Ok(module)
}

/// Where cargo keeps the sources of other crates, which their panics name.
fn cargo_home() -> Option<PathBuf> {
    let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cargo"));
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(home)
}

/// Flags that give the same names to every builder's folders: what is public shall not tell how
/// somebody's machine is laid out. (cargo's own `trim-paths` is not stable.)
fn without_paths(cargo_home: &Path, root: &Path) -> OsString {
    let flag = |from: &Path, to: &str| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flag
    };
    [flag(cargo_home, "/cargo"), flag(root, ".")].join(OsStr::new("\u{1f}"))
}

fn refuse_paths(module: &Path, private: &[&Path]) -> Result<()> {
    let bytes = std::fs::read(module)?;
    for path in private {
        let text = path.as_os_str().as_encoded_bytes();
        if bytes.windows(text.len()).any(|window| window == text) {
            bail!(
                "{} tells where `{}` is on this machine; a path came past --remap-path-prefix",
                module.display(),
                path.display()
            );
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_of_the_builder_gets_a_public_name() {
        let flags = without_paths(Path::new("/home/ada/my cargo"), Path::new("/src/gatehouse"));
        let expected = [
            "--remap-path-prefix=/home/ada/my cargo=/cargo",
            "--remap-path-prefix=/src/gatehouse=.",
        ];
        assert_eq!(
            flags.to_str().unwrap().split('\u{1f}').collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn a_module_that_tells_a_path_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("a.wasm");
        let private: [&Path; 2] = [Path::new("/home/ada/.cargo"), Path::new("/src/gatehouse")];
        std::fs::write(&module, "panicked at /cargo/registry/src/x/lib.rs").unwrap();
        refuse_paths(&module, &private).unwrap();
        std::fs::write(
            &module,
            "panicked at /home/ada/.cargo/registry/src/x/lib.rs",
        )
        .unwrap();
        let refusal = refuse_paths(&module, &private).unwrap_err().to_string();
        assert!(refusal.contains("/home/ada/.cargo"), "{refusal}");
    }
}
