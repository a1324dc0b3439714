//! Field limits and the checks that go with them, the same in the browser, the pages and the API.

use crate::Invalid;

/// Longest e-mail address, in characters (RFC 5321 §4.5.3.1.3 minus the brackets).
pub const EMAIL_MAX_CHARS: usize = 254;
/// Shortest password for an account without a second factor, in characters.
pub const PASSWORD_MIN_CHARS: usize = 15;
/// Longest password, in bytes; longer ones are refused, never cut.
pub const PASSWORD_MAX_BYTES: usize = 1024;
/// Longest name of a service, router, device or group, in characters.
pub const NAME_MAX_CHARS: usize = 80;
/// Longest description or release note, in characters.
pub const TEXT_MAX_CHARS: usize = 4000;
/// Longest project name, in bytes.
pub const PROJECT_NAME_MAX_BYTES: usize = 64;
/// Longest file name of a release, in bytes; download URLs stay under 200 characters.
pub const FILE_NAME_MAX_BYTES: usize = 96;
/// Most minutes any access session may last.
pub const SESSION_MAX_MINUTES: i64 = 480;
/// Longest time that an invitation can be used, in minutes: 30 days.
pub const INVITATION_MAX_MINUTES: i64 = 30 * 24 * 60;
/// Most uses of one invitation.
pub const INVITATION_MAX_USES: i64 = 100;
/// Public ports that a router may open.
pub const PUBLIC_PORTS: std::ops::RangeInclusive<u16> = 1024..=65534;

/// Checks a project's name: `[a-z0-9A-Z][a-zA-Z0-9._-]{0,63}`, since it is a path segment.
///
/// # Errors
/// When the name has another shape.
pub fn project_name(name: &str) -> Result<(), Invalid> {
    if is_segment(name, PROJECT_NAME_MAX_BYTES) {
        return Ok(());
    }
    Err(Invalid::new(
        "name",
        "A project name starts with a letter or digit and has at most 64 letters, digits, dots, dashes and underscores.",
    ))
}

/// Checks a release's file name, which is a path segment too.
///
/// # Errors
/// When the name has another shape.
pub fn file_name(name: &str) -> Result<(), Invalid> {
    // `latest` and `versions` are documents under /firmware/<project>/.
    if is_segment(name, FILE_NAME_MAX_BYTES) && !matches!(name, "latest" | "versions") {
        return Ok(());
    }
    Err(Invalid::new(
        "file_name",
        "A file name starts with a letter or digit and has at most 96 letters, digits, dots, dashes and underscores.",
    ))
}

fn is_segment(text: &str, max_bytes: usize) -> bool {
    let mut bytes = text.bytes();
    let starts_well = bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric());
    starts_well
        && text.len() <= max_bytes
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Checks a name that people read: 1 to 80 characters, none of them a control or direction mark.
///
/// # Errors
/// When it is empty, too long or carries such a character.
pub fn name(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.trim().is_empty() {
        return Err(Invalid::new(field, "A name is needed."));
    }
    one_line(field, text)
}

/// Checks a line that may be empty: at most 80 characters, none of them a control or direction mark.
///
/// # Errors
/// When it is too long or carries such a character.
pub fn one_line(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.chars().count() > NAME_MAX_CHARS {
        return Err(Invalid::new(
            field,
            format!("At most {NAME_MAX_CHARS} characters fit."),
        ));
    }
    no_hidden(field, text, false)
}

/// Checks a longer text: at most 4,000 characters; line breaks are welcome.
///
/// # Errors
/// When it is too long or carries control or direction marks.
pub fn text(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.chars().count() > TEXT_MAX_CHARS {
        return Err(Invalid::new(
            field,
            format!("At most {TEXT_MAX_CHARS} characters fit."),
        ));
    }
    no_hidden(field, text, true)
}

fn no_hidden(field: &'static str, text: &str, line_breaks: bool) -> Result<(), Invalid> {
    let hidden = |mark: char| match mark {
        '\n' | '\r' | '\t' => !line_breaks,
        // Marks that reverse what is read after them.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    };
    if text.chars().any(hidden) {
        return Err(Invalid::new(
            field,
            "Control characters and direction marks are not taken.",
        ));
    }
    Ok(())
}

/// Checks the shape of an e-mail address; only a message to it could prove more.
///
/// # Errors
/// When it is not `something@something` without blanks, or longer than 254 characters.
pub fn email(text: &str) -> Result<(), Invalid> {
    let wrong = || Invalid::new("email", "An e-mail address looks like name@example.org.");
    let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
    let blank = text
        .chars()
        .any(|mark| mark.is_whitespace() || mark.is_control());
    if local.is_empty() || domain.is_empty() || blank || text.chars().count() > EMAIL_MAX_CHARS {
        return Err(wrong());
    }
    no_hidden("email", text, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segments_cannot_climb_or_hide() {
        for bad in [
            "",
            ".",
            "..",
            ".git",
            "a/b",
            "a\\b",
            "a%2e",
            "a b",
            "a\0",
            "é",
            "-x",
            &"a".repeat(65),
        ] {
            assert!(project_name(bad).is_err(), "{bad:?}");
        }
        for good in ["demo-lamp", "A", "0.9_x", &"a".repeat(64)] {
            assert!(project_name(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn the_documents_beside_the_images_keep_their_names() {
        assert!(file_name("latest").is_err());
        assert!(file_name("versions").is_err());
        assert!(file_name("lamp-01.00.02.bin").is_ok());
    }

    #[test]
    fn names_carry_no_marks_that_lie_to_the_reader() {
        assert!(name("name", "Lamp \u{202e}nib").is_err());
        assert!(name("name", "a\nb").is_err());
        assert!(name("name", "   ").is_err());
        assert!(name("name", "Lámpara №1").is_ok());
        assert!(text("notes", "one\ntwo").is_ok());
    }

    #[test]
    fn addresses_have_two_halves() {
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b\n"] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
        assert!(email("ana@example.org").is_ok());
    }
}
