//! Other people's programs: where they are, and one run of them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The device that is built on the `hawkbit` crate, beside the portal's own program.
pub(crate) const HAWKBIT_CLIENT: &str = "gatehouse-hawkbit-client";

/// Where a program is; some lie where only root looks.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
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
