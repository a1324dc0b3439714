//! What passes between the program and the person at the terminal.

use std::fs;
use std::io::Write;
use std::path::Path;

/// Writes to standard output; a reader that has gone away (`audit | head -1`) is an error like any.
pub(crate) fn say(text: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("Standard output cannot be written ({error})."))
}

/// Takes a password from a file, or asks for it.
pub(crate) fn password(file: Option<&Path>) -> Result<String, String> {
    match file {
        Some(path) => read_password(path),
        None => ask("Password: "),
    }
}

/// Takes a new password from a file, or asks for it twice.
pub(crate) fn new_password(file: Option<&Path>) -> Result<String, String> {
    if let Some(path) = file {
        return read_password(path);
    }
    let (first, again) = (ask("Password: ")?, ask("Password again: ")?);
    if first == again {
        Ok(first)
    } else {
        Err("The two passwords differ. Run the command again.".to_owned())
    }
}

fn read_password(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| {
        format!(
            "The password file {} cannot be read ({error}).",
            path.display()
        )
    })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

fn ask(prompt: &str) -> Result<String, String> {
    rpassword::prompt_password(prompt).map_err(|error| {
        format!(
            "The password cannot be asked for here ({error}). Name a file with --password-file."
        )
    })
}
