//! Files in the repository that a program writes.

use anyhow::Result;

use crate::process;
use crate::project;
use crate::step::step;

/// Where the API document lies, from the top folder.
pub(crate) const FILE: &str = "docs/openapi.json";

/// Builds every test and every program of the workspace in the development profile.
///
/// Tests and programs are asked for together so that their dependencies get one set of features,
/// and nothing is compiled a second time in between.
///
/// # Errors
/// When something does not compile.
pub(crate) fn build_dev() -> Result<()> {
    let mut build = process::cargo();
    build.args([
        "build",
        "--workspace",
        "--exclude",
        project::FRONTEND_PACKAGE,
        "--bins",
        "--tests",
    ]);
    step("compiling tests and programs", || process::run(&mut build))
}

/// Writes the API document anew from the code.
///
/// # Errors
/// When the portal does not build or does not print it.
pub(crate) fn generate() -> Result<()> {
    build_dev()?;
    let document =
        process::output(process::command(project::binary("debug", "gatehouse")).arg("openapi"))?;
    Ok(std::fs::write(project::root().join(FILE), document)?)
}
