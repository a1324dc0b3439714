//! Other people's programs: where they are, and one run of them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The device that is built on the `hawkbit` crate, beside the portal's own program.
pub(crate) const HAWKBIT_CLIENT: &str = "gatehouse-hawkbit-client";

/// OpenSSL's headers, without which nothing that uses it compiles.
pub(crate) const OPENSSL_HEADERS: &str = "libssl-dev";
/// The Python that knows the packages of `docs/devices/requirements.txt`.
pub(crate) const PYTHON: &str = "python3 with cryptography";
/// The Python that has the original's SDK.
pub(crate) const ONEID: &str = "python3 with oneid-connect";
/// The co-signer, beside the portal's own program.
pub(crate) const COSIGNER: &str = "gatehouse-cosigner";

/// Where a program, or a thing that one of them needs, is; some lie where only root looks.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    match name {
        OPENSSL_HEADERS => Some("/usr/include/openssl/core_names.h".into()),
        PYTHON => Some(python_of("manifest")),
        ONEID => Some(python_of("oneid")),
        _ => return find_program(name),
    }
    .filter(|path: &PathBuf| path.exists())
}

fn python_of(environment: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("../python")
        .join(environment)
        .join("bin/python3")
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let built = Path::new(env!("CARGO_BIN_EXE_gatehouse")).parent();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .chain(built.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// A run of a program that is there.
pub(crate) fn command(name: &str) -> Command {
    Command::new(find(name).unwrap_or_else(|| panic!("{name} was there a moment ago")))
}

/// Runs a program that has to succeed, and answers what it printed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().expect("starts");
    assert!(output.status.success(), "{}", told(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Everything a run had to say.
pub(crate) fn told(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
