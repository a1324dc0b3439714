//! Which language a page speaks.

/// A language of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Spanish.
    Es,
}

impl Lang {
    /// Every language, in the order of the language switch.
    pub const ALL: [Self; 2] = [Self::En, Self::Es];

    /// The tag in `<html lang>` and in the cookie.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
        }
    }

    /// The language's own name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Es => "Español",
        }
    }

    /// What stands before the decimals of a number.
    pub const fn decimal_mark(self) -> char {
        match self {
            Self::En => '.',
            Self::Es => ',',
        }
    }

    /// Reads a tag such as `es` or `es-MX`; the region does not matter.
    pub fn from_code(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next()?.trim();
        Self::ALL
            .into_iter()
            .find(|lang| lang.code().eq_ignore_ascii_case(primary))
    }

    /// Picks the language that an `Accept-Language` header likes best, English when it likes none.
    pub fn from_accept_language(header: &str) -> Self {
        let mut best = (Self::default(), 0.0);
        for range in header.split(',') {
            let (tag, weight) = weighed(range);
            if let Some(lang) = Self::from_code(tag)
                && weight > best.1
            {
                best = (lang, weight);
            }
        }
        best.0
    }
}

fn weighed(range: &str) -> (&str, f32) {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q="));
    (tag, quality.map_or(1.0, |text| text.parse().unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::Lang;

    #[test]
    fn the_best_liked_language_wins() {
        assert_eq!(
            Lang::from_accept_language("es-MX,es;q=0.9,en;q=0.8"),
            Lang::Es
        );
        assert_eq!(
            Lang::from_accept_language("fr, en;q=0.5, es;q=0.6"),
            Lang::Es
        );
        assert_eq!(Lang::from_accept_language("en, es"), Lang::En);
        assert_eq!(Lang::from_accept_language("es;q=0"), Lang::En);
        assert_eq!(Lang::from_accept_language("es;q=high, de"), Lang::En);
        assert_eq!(Lang::from_accept_language(""), Lang::En);
    }

    #[test]
    fn only_known_tags_are_read() {
        assert_eq!(Lang::from_code("ES"), Some(Lang::Es));
        assert_eq!(Lang::from_code("est"), None);
        assert_eq!(Lang::from_code(""), None);
    }
}
