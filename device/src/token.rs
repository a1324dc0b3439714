//! The device's token, kept out of every message.

use std::fs;
use std::path::Path;

use http::HeaderValue;

use crate::{Failure, Kind};

/// A device token; neither `Debug` nor any error shows it.
#[derive(Debug, Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes a token; white space around it is dropped.
    ///
    /// # Errors
    /// When it is empty or cannot stand in a header.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let header = HeaderValue::try_from(format!("Bearer {text}")).ok();
        let Some(mut header) = header.filter(|_| is_plain) else {
            let sentence = "the token is empty or holds characters that no token has: pass it \
                            exactly as the portal showed it";
            return Err(Failure::new(Kind::Usage, sentence));
        };
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// Reads a token from a file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no token.
    pub fn from_file(path: &Path) -> Result<Self, Failure> {
        Self::new(&token_file(path)?)
    }

    /// The value of the `Authorization` header, marked as sensitive.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// What stands in a file of tokens.
pub(crate) fn token_file(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|cause| {
        let path = path.display();
        let sentence = format!("cannot read the token from {path} ({cause}): correct --token-file");
        Failure::new(Kind::Local, sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_never_shown() {
        let token = Token::new(" abc.def\n").unwrap();
        assert_eq!(token.header(), "Bearer abc.def");
        assert!(!format!("{token:?}").contains("abc"));
    }

    #[test]
    fn what_is_no_token_is_refused_without_showing_it() {
        for text in ["", " \n", "two words", "se\u{7f}cret", "geheimnis-ä"] {
            let refusal = Token::new(text).unwrap_err();
            assert_eq!(refusal.kind(), Kind::Usage, "{text:?}");
            assert!(!refusal.to_string().contains("secret"));
        }
    }
}
