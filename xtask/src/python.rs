//! Python programs, each with its packages in an environment of its own in `target/python`.

use std::path::PathBuf;

use anyhow::Result;

use crate::process;
use crate::project;
use crate::setup;
use crate::step::step;

/// A program with the packages that its `requirements.txt` names.
pub(crate) struct Environment {
    /// The folder in `target/python`.
    pub(crate) name: &'static str,
    /// The list of packages, seen from the repository's root.
    pub(crate) requirements: &'static str,
    /// What it is for.
    pub(crate) reason: &'static str,
}

impl Environment {
    /// Makes the environment and installs what its list names, when the list changed since.
    ///
    /// # Errors
    /// When Python or a package cannot be installed.
    pub(crate) fn install(&self) -> Result<()> {
        let wanted = std::fs::read(project::root().join(self.requirements))?;
        let stamp_file = self.dir().join("installed-from.txt");
        if std::fs::read(&stamp_file).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        if !has_venv() {
            // No program bears the package's name, so it is installed whenever the module is missing.
            setup::tool("python3-venv", &["python3", "python3-venv"], self.reason)?;
        }
        let name = format!(
            "installing {} into target/python: {}",
            self.name, self.reason
        );
        step(&name, || {
            if !self.program("pip").exists() {
                process::run(
                    process::command("python3")
                        .args(["-m", "venv"])
                        .arg(self.dir()),
                )?;
            }
            let mut pip = process::command(self.program("pip"));
            // The lists are whole, and what a package of 2017 asks for no longer builds.
            pip.args(["install", "--quiet", "--disable-pip-version-check"])
                .args(["--no-deps", "-r"])
                .arg(project::root().join(self.requirements));
            process::run(&mut pip)?;
            Ok(std::fs::write(&stamp_file, &wanted)?)
        })
    }

    /// A program of the environment.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.dir().join("bin").join(name)
    }

    fn dir(&self) -> PathBuf {
        project::target_dir().join("python").join(self.name)
    }
}

fn has_venv() -> bool {
    process::output(process::command("python3").args(["-c", "import ensurepip, venv"])).is_ok()
}
