//! What no file of the repository may hold.

use std::fs;

use anyhow::Result;

use crate::process;
use crate::project;

const LINES_LIMIT: usize = 400;
const CODE_SUFFIXES: [&str; 4] = [".rs", ".ts", ".css", ".sql"];
/// A file over the limit says why with this word and a reason in one of its lines.
const LONG_FILE_MARK: &str = "Long file:";

// Written in two halves so that this file keeps its own rules.
const UNFINISHED_WORDS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
const UNFINISHED_CALLS: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];
const ALLOW_ATTRIBUTES: [&str; 2] = [concat!("#[", "allow("), concat!("#![", "allow(")];
const MACHINE_FOLDERS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
    concat!("/ro", "ot/"),
];
const SSR: &str = concat!("feature = ", "\"ssr\"");

/// One line for each place that breaks a rule.
///
/// # Errors
/// When git cannot list the files.
pub(super) fn violations() -> Result<Vec<String>> {
    let listing = process::output(process::command("git").args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut violations = Vec::new();
    for path in listing.lines() {
        // Pictures are no UTF-8, and a file deleted but not yet committed is not there.
        if let Ok(text) = fs::read_to_string(project::root().join(path)) {
            violations.extend(file_violations(path, &text));
        }
    }
    Ok(violations)
}

fn file_violations(path: &str, text: &str) -> Vec<String> {
    let is_code = CODE_SUFFIXES.iter().any(|suffix| path.ends_with(suffix));
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let faults = line_fault(line, is_code);
        violations.extend(faults.map(|fault| format!("{path}:{}: {fault}", index + 1)));
    }
    let lines = text.lines().count();
    if is_code && lines > LINES_LIMIT && !text.contains(LONG_FILE_MARK) {
        violations.push(format!(
            "{path}: {lines} lines; cut it along a seam, or say why with `{LONG_FILE_MARK}`"
        ));
    }
    if path.starts_with("app/src/") && text.matches(SSR).count() > 1 {
        violations.push(format!(
            "{path}: `{SSR}` more than once; put the server's half in one module"
        ));
    }
    violations
}

fn line_fault(line: &str, is_code: bool) -> Option<&'static str> {
    if MACHINE_FOLDERS
        .iter()
        .any(|folder| names_folder(line, folder))
    {
        return Some("a path of somebody's machine");
    }
    if !is_code {
        return None;
    }
    let unfinished = UNFINISHED_WORDS.iter().any(|word| has_word(line, word))
        || UNFINISHED_CALLS.iter().any(|call| line.contains(call));
    if unfinished {
        return Some("an unfinished mark; finish it or open an issue");
    }
    if ALLOW_ATTRIBUTES
        .iter()
        .any(|attribute| line.contains(attribute))
    {
        return Some("an allowed lint; write `#[expect(…, reason = \"…\")]`");
    }
    None
}

/// Whether the folder stands there as an absolute path, not as the tail of a longer one.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric()))
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let joined = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(joined) && !line[at + word.len()..].starts_with(joined)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_count_as_words_only() {
        let marked = format!("// {}: later", UNFINISHED_WORDS[0]);
        assert!(line_fault(&marked, true).is_some());
        assert!(line_fault(&format!("let {}S = 1;", UNFINISHED_WORDS[0]), true).is_none());
        assert!(line_fault(&marked, false).is_none());
    }

    #[test]
    fn a_machine_path_is_found_and_a_longer_path_is_not() {
        let folder = MACHINE_FOLDERS[0];
        assert!(line_fault(&format!("see {folder}notes"), false).is_some());
        assert!(line_fault(&format!("home{folder}notes"), false).is_none());
    }

    #[test]
    fn long_files_need_a_reason_and_ssr_stands_once() {
        let long = "x\n".repeat(LINES_LIMIT + 1);
        assert_eq!(file_violations("core/a.rs", &long).len(), 1);
        assert_eq!(
            file_violations("core/a.rs", &format!("{LONG_FILE_MARK} a table\n{long}")),
            Vec::<String>::new()
        );
        let twice = format!("#[cfg({SSR})]\n#[cfg({SSR})]\n");
        assert_eq!(file_violations("app/src/a.rs", &twice).len(), 1);
        assert_eq!(file_violations("server/src/a.rs", &twice).len(), 0);
    }
}
