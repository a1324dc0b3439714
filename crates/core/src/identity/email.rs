use unicode_normalization::UnicodeNormalization;

/// The spelling under which an address is unique: NFKC, lower case, trimmed. So `Admin`,
/// `admin ` and full-width `ａｄｍｉｎ` are one identity with one throttle counter.
pub(super) fn email_key(email: &str) -> String {
    email.nfkc().collect::<String>().trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::email_key;

    #[test]
    fn spellings_of_one_address_are_one_identity() {
        for twin in [
            "Ana@Example.org",
            " ana@example.org ",
            "ａｎａ@example.org",
            "ANA@EXAMPLE.ORG",
        ] {
            assert_eq!(email_key(twin), "ana@example.org", "{twin:?}");
        }
        assert_eq!(
            email_key("jose\u{301}@example.org"),
            email_key("josé@example.org")
        );
    }
}
