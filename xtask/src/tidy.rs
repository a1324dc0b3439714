//! `cargo xtask tidy`: the invariants of docs/ARCHITECTURE.md that a machine can see.
//!
//! A new rule is a function that returns one line for each violation, and an entry in [`tidy`].

mod dependencies;
mod documents;
mod sources;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::project;

/// Looks for violations and prints them all.
///
/// # Errors
/// When there is one, or the repository cannot be read.
pub(crate) fn tidy() -> Result<()> {
    let mut violations = dependencies::violations()?;
    violations.extend(documents::violations()?);
    violations.extend(sources::violations()?);
    violations.extend(migration_violations()?);
    if violations.is_empty() {
        println!("tidy: no violation");
        return Ok(());
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    bail!("{} violations of docs/ARCHITECTURE.md", violations.len());
}

fn migration_violations() -> Result<Vec<String>> {
    let (sqlite, postgres) = (migration_numbers("sqlite")?, migration_numbers("postgres")?);
    let describe =
        |number: &String| format!("migrations: number {number} exists for one database only");
    Ok(sqlite
        .symmetric_difference(&postgres)
        .map(describe)
        .collect())
}

fn migration_numbers(database: &str) -> Result<BTreeSet<String>> {
    let folder = project::root().join("migrations").join(database);
    let entries =
        fs::read_dir(&folder).with_context(|| format!("migrations/{database} cannot be read"))?;
    entries
        .map(|entry| {
            let name = entry?.file_name().to_string_lossy().into_owned();
            Ok(name.chars().take_while(char::is_ascii_digit).collect())
        })
        .collect()
}
