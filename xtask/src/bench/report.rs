//! The table, and its place in docs/PERFORMANCE.md.

use std::fs;

use anyhow::{Context, Result};

use super::flask;
use super::load::Load;
use crate::process;
use crate::project;

const RESULT_FILE: &str = "docs/PERFORMANCE.md";
const BEGIN_MARK: &str = "<!-- bench:begin, written by `cargo xtask bench` -->";
const END_MARK: &str = "<!-- bench:end -->";

/// One line of the table.
pub(super) struct Row {
    what: String,
    value: String,
    beside: String,
}

impl Row {
    /// A figure that no peer has.
    pub(super) fn alone(what: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            value: value.into(),
            beside: String::new(),
        }
    }

    /// A load beside the same load on peers, each with its name and our rate divided by its.
    pub(super) fn compared(what: impl Into<String>, ours: &Load, peers: &[(&str, Load)]) -> Self {
        let beside = peers.iter().map(|(name, theirs)| {
            let ratio = ours.requests_per_s / theirs.requests_per_s;
            format!("{name}: {theirs}; ratio {ratio:.2}")
        });
        Self {
            what: what.into(),
            value: ours.to_string(),
            beside: beside.collect::<Vec<_>>().join("<br>"),
        }
    }
}

/// Prints the table and writes it to docs/PERFORMANCE.md.
///
/// # Errors
/// When the file cannot be written or has lost its marks.
pub(super) fn publish(rows: &[Row], seconds: u32) -> Result<()> {
    let table = table(rows);
    println!("\n{table}");
    let file = project::root().join(RESULT_FILE);
    let old = fs::read_to_string(&file).with_context(|| format!("{RESULT_FILE} is missing"))?;
    let result = format!("{}\n\n{table}", conditions(seconds)?);
    Ok(fs::write(file, replace_between_marks(&old, &result)?)?)
}

fn conditions(seconds: u32) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let rustc = process::output(process::command("rustc").arg("--version"))?;
    Ok(format!(
        "Measured over loopback on {cores} cores that the load generator (wrk, 32 connections, {seconds} s each) shares; \
         {}. Each peer ran right after the portal. A ratio is the portal's rate divided by the peer's. \
         Flask is `bench/flask` under gunicorn with {}; the Rust peers are in `bench/peers`.",
        rustc.trim(),
        flask::setting()?
    ))
}

fn table(rows: &[Row]) -> String {
    let line = |row: &Row| format!("| {} | {} | {} |\n", row.what, row.value, row.beside);
    format!(
        "| work | Gatehouse | beside it |\n|---|---|---|\n{}",
        rows.iter().map(line).collect::<String>()
    )
}

fn replace_between_marks(document: &str, result: &str) -> Result<String> {
    let (before, rest) = document
        .split_once(BEGIN_MARK)
        .with_context(|| format!("{RESULT_FILE} has lost its mark {BEGIN_MARK}"))?;
    let (_, after) = rest
        .split_once(END_MARK)
        .with_context(|| format!("{RESULT_FILE} has lost its mark {END_MARK}"))?;
    Ok(format!("{before}{BEGIN_MARK}\n{result}\n{END_MARK}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_marks_is_replaced() {
        let document = format!("# Performance\n{BEGIN_MARK}\nold\n{END_MARK}\nnotes\n");
        let replaced = replace_between_marks(&document, "new").unwrap();
        assert_eq!(
            replaced,
            format!("# Performance\n{BEGIN_MARK}\nnew\n{END_MARK}\nnotes\n")
        );
        assert!(replace_between_marks("no marks", "new").is_err());
    }

    #[test]
    fn the_ratio_is_our_rate_divided_by_the_peers() {
        let (ours, theirs) = (Load::example(300.0), Load::example(400.0));
        let row = Row::compared("an image", &ours, &[("nginx", theirs)]);
        assert!(row.beside.starts_with("nginx: 400/s"), "{}", row.beside);
        assert!(row.beside.ends_with("ratio 0.75"), "{}", row.beside);
    }
}
