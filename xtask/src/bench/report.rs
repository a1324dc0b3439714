//! The table, and its place in docs/PERFORMANCE.md.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::load::Load;
use crate::project;

const RESULT_FILE: &str = "docs/PERFORMANCE.md";

/// One line of a table.
#[derive(Serialize, Deserialize)]
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

/// Prints a group's table and writes it to docs/PERFORMANCE.md between the marks with the group's
/// name; `conditions` is the paragraph above it.
///
/// # Errors
/// When the file cannot be written or has lost its marks.
pub(super) fn publish(group: &str, conditions: &str, rows: &[Row]) -> Result<()> {
    let table = table(rows);
    println!("\n{table}");
    let file = project::root().join(RESULT_FILE);
    let old = fs::read_to_string(&file).with_context(|| format!("{RESULT_FILE} is missing"))?;
    let result = format!("{conditions}\n\n{table}");
    Ok(fs::write(
        file,
        replace_between_marks(&old, group, &result)?,
    )?)
}

fn table(rows: &[Row]) -> String {
    let line = |row: &Row| format!("| {} | {} | {} |\n", row.what, row.value, row.beside);
    format!(
        "| work | Gatehouse | beside it |\n|---|---|---|\n{}",
        rows.iter().map(line).collect::<String>()
    )
}

fn begin_mark(group: &str) -> String {
    format!("<!-- {group}:begin, written by `cargo xtask bench` -->")
}

fn end_mark(group: &str) -> String {
    format!("<!-- {group}:end -->")
}

fn replace_between_marks(document: &str, group: &str, result: &str) -> Result<String> {
    let (begin, end) = (begin_mark(group), end_mark(group));
    let (before, rest) = document
        .split_once(&begin)
        .with_context(|| format!("{RESULT_FILE} has lost its mark {begin}"))?;
    let (_, after) = rest
        .split_once(&end)
        .with_context(|| format!("{RESULT_FILE} has lost its mark {end}"))?;
    Ok(format!("{before}{begin}\n{result}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_marks_of_the_group_is_replaced() {
        let section = |group: &str, text: &str| {
            format!("{}\n{text}\n{}\n", begin_mark(group), end_mark(group))
        };
        let document = |second: &str| {
            format!(
                "# Performance\n{}{}notes\n",
                section("first", "old"),
                section("second", second)
            )
        };
        let replaced = replace_between_marks(&document("old"), "second", "new").unwrap();
        assert_eq!(replaced, document("new"));
        assert!(replace_between_marks(&document("old"), "third", "new").is_err());
    }

    #[test]
    fn the_ratio_is_our_rate_divided_by_the_peers() {
        let (ours, theirs) = (Load::example(300.0), Load::example(400.0));
        let row = Row::compared("an image", &ours, &[("nginx", theirs)]);
        assert!(row.beside.starts_with("nginx: 400/s"), "{}", row.beside);
        assert!(row.beside.ends_with("ratio 0.75"), "{}", row.beside);
    }
}
