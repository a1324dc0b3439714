//! Documents that say which test shows a thing: each test they name exists.

use std::fs;

use anyhow::{Context, Result};

use crate::project;

/// In these, a test is named as `path.rs::name`, from the root of the repository.
const DOCUMENTS: [&str; 1] = ["docs/SECURITY-MODEL.md"];
const PATH_END: &str = ".rs::";

/// One line for each test that a document names and that is not there.
///
/// # Errors
/// When a document cannot be read.
pub(super) fn violations() -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(project::root().join(document))
            .with_context(|| format!("{document} cannot be read"))?;
        let missing = named_tests(&text).filter(|(path, test)| !exists(path, test));
        violations.extend(
            missing.map(|(path, test)| format!("{document}: there is no test {path}::{test}")),
        );
    }
    Ok(violations)
}

/// What stands in backticks as `path.rs::name`.
fn named_tests(text: &str) -> impl Iterator<Item = (String, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|quoted| quoted.split_once(PATH_END))
        .filter(|(path, _)| path.contains('/'))
        .map(|(path, test)| (format!("{path}.rs"), test))
}

fn exists(path: &str, test: &str) -> bool {
    let text = fs::read_to_string(project::root().join(path));
    text.is_ok_and(|text| defines_test(&text, test))
}

/// Whether a function of this name stands right below a test's attribute.
fn defines_test(text: &str, test: &str) -> bool {
    let head = format!("fn {test}(");
    let mut is_test = false;
    text.lines().map(str::trim).any(|line| {
        if line.starts_with("#[") {
            is_test |= line.contains("test");
            return false;
        }
        let found = is_test && line.contains(&head);
        is_test = false;
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_named_by_its_whole_path_in_backticks() {
        let text = "shown by `a/b.rs::c`, `x.rs::pick` and not a/b.rs::d, but `e/f.rs::g`.";
        let named: Vec<_> = named_tests(text).collect();
        assert_eq!(
            named,
            [("a/b.rs".to_owned(), "c"), ("e/f.rs".to_owned(), "g")]
        );
    }

    #[test]
    fn only_a_function_with_a_tests_attribute_is_one() {
        let text = "fn helper() {}\n#[test]\nfn short() {}\n\
                    #[tokio::test]\n#[expect(x, reason = \"y\")]\nasync fn long() {}\n";
        for (name, is_one) in [
            ("short", true),
            ("long", true),
            ("helper", false),
            ("shor", false),
            ("gone", false),
        ] {
            assert_eq!(defines_test(text, name), is_one, "{name}");
        }
    }
}
