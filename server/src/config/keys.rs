//! The names that the configuration knows.

use crate::refusal::Refusal;

/// What the environment variables of the portal begin with.
pub(super) const PREFIX: &str = "GATEHOUSE_";

/// Keys of a TOML file, dotted; [`PREFIX`] and underscores make the variable of each.
pub(super) const KNOWN: [&str; 30] = [
    "admin_secret",
    "blob_url",
    "cosigner.ca_file",
    "cosigner.dir",
    "cosigner.timeout_ms",
    "cosigner.url",
    "data_dir",
    "database_url",
    "firmware.project_key_secret",
    "forwarded_header",
    "insecure_http",
    "jwt.default_expiry_minutes",
    "listen",
    "log.filter",
    "log.format",
    "max_upload_bytes",
    "no_jwt",
    "public_url",
    "public_url_ipv4",
    "public_url_ipv6",
    "query_token",
    "sendfile",
    "sendfile_root",
    "tls.cert",
    "tls.key",
    "trusted_proxies",
    "wake.webhook_ca_file",
    "wake.webhook_networks",
    "wake.webhook_origins",
    "wake.webhook_secret",
];

/// Keys whose value may also stand in a file that `<key>_file` names.
pub(super) const SECRET: [&str; 4] = [
    "admin_secret",
    "database_url",
    "firmware.project_key_secret",
    "wake.webhook_secret",
];

/// Keys that are planned, with what this version has to say about them.
const LATER: [(&str, &str); 7] = [
    (
        "tls.acme",
        "This version cannot fetch certificates itself; set tls.cert and tls.key.",
    ),
    (
        "readings_listen",
        "This version has no readings listener yet; remove the key.",
    ),
    (
        "readings_tls",
        "This version has no readings listener yet; remove the key.",
    ),
    (
        "confirm_listen",
        "This version has no confirmation listener yet; remove the key.",
    ),
    (
        "insecure_tcp",
        "This version has no TCP listeners for devices yet; remove the key.",
    ),
    (
        "metrics_listen",
        "This version has no metrics listener yet; remove the key.",
    ),
    (
        "s3",
        "This version stores blobs in a folder only; use blob_url = \"file:///…\".",
    ),
];

/// A key as a layer may name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The value itself.
    Plain(&'static str),
    /// A file that holds the value.
    FileOf(&'static str),
}

/// Finds the key that a TOML file spells as `name`.
pub(super) fn find(name: &str) -> Result<Key, Refusal> {
    find_spelled(name, "configuration key", str::to_owned)
}

/// Finds the key that the environment spells as `variable`; a dot may be one underscore or two.
pub(super) fn find_variable(variable: &str) -> Result<Key, Refusal> {
    find_spelled(
        &variable.replace("__", "_"),
        "environment variable",
        |key| format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase()),
    )
}

fn find_spelled(name: &str, kind: &str, spell: impl Fn(&str) -> String) -> Result<Key, Refusal> {
    if let Some(key) = KNOWN.into_iter().find(|key| spell(key) == name) {
        return Ok(Key::Plain(key));
    }
    if let Some(key) = SECRET
        .into_iter()
        .find(|key| spell(&format!("{key}_file")) == name)
    {
        return Ok(Key::FileOf(key));
    }
    if let Some((_, sentence)) = LATER
        .iter()
        .find(|(planned, _)| is_or_is_in(name, &spell(planned)))
    {
        return Err(Refusal::new(format!(
            "The {kind} {name} is for a later version. {sentence}"
        )));
    }
    let nearest = KNOWN
        .into_iter()
        .map(spell)
        .min_by_key(|known| distance(name, known))
        .unwrap_or_default();
    Err(Refusal::new(format!(
        "The {kind} {name} is unknown. Did you mean {nearest}?"
    )))
}

/// Puts `value` at the dotted `key`.
pub(super) fn put(root: &mut toml::Table, key: &str, value: toml::Value) {
    match key.split_once('.') {
        None => {
            root.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = root
                .entry(section)
                .or_insert_with(|| toml::Table::new().into());
            if let Some(table) = inner.as_table_mut() {
                put(table, rest, value);
            }
        }
    }
}

fn is_or_is_in(name: &str, planned: &str) -> bool {
    name.strip_prefix(planned)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
}

/// Counts the letters to insert, delete or change from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
