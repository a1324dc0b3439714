//! The four layers of the configuration, laid over each other as key and raw value.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::Value;

use super::Environment;
use super::keys::{self, Key, PREFIX};
use crate::cli::Flags;
use crate::refusal::Refusal;

/// The seed's name for the admin secret; our own name wins over it.
const SEEDS_ADMIN_SECRET: &str = "OTA_ADMIN_SECRET";

/// Names the configuration file, like `--config`.
const CONFIG_VARIABLE: &str = "GATEHOUSE_CONFIG";

/// Read by other programs of this project; harmless when they are still set at the start.
const NEIGHBOURS_VARIABLES: [&str; 4] = [
    "GATEHOUSE_SITE_DIR",
    "GATEHOUSE_WASM_COMPILER",
    "GATEHOUSE_TEST_POSTGRES_URL",
    "GATEHOUSE_TOKEN",
];

/// What file, environment and flags have set, the strongest value of each key.
#[derive(Debug, Default)]
pub(super) struct Layers {
    set: BTreeMap<&'static str, Value>,
}

type ReadFile<'a> = dyn Fn(&Path) -> io::Result<String> + 'a;

impl Layers {
    pub(super) fn collect(
        flags: &Flags,
        environment: &Environment,
        read_file: &ReadFile<'_>,
    ) -> Result<Self, Refusal> {
        let mut layers = Self::default();
        let named = environment.get(CONFIG_VARIABLE).map(PathBuf::from);
        if let Some(path) = flags.config.clone().or(named) {
            layers.lay(&file_layer(&path, read_file)?, read_file)?;
        }
        layers.lay(&environment_layer(environment)?, read_file)?;
        for (key, text) in flags.given() {
            layers.set.insert(key, text.into());
        }
        Ok(layers)
    }

    /// Lays one layer over what is set; inside a layer, a secret may be given in one way only.
    fn lay(&mut self, layer: &[(Key, Value)], read_file: &ReadFile<'_>) -> Result<(), Refusal> {
        for (key, value) in layer {
            match key {
                Key::Plain(name) => self.set.insert(name, value.clone()),
                Key::FileOf(name) if layer.iter().any(|(other, _)| *other == Key::Plain(name)) => {
                    return Err(Refusal::new(format!(
                        "Both {name} and {name}_file are set. Keep one of them."
                    )));
                }
                Key::FileOf(name) => self
                    .set
                    .insert(name, read_secret(name, value, read_file)?.into()),
            };
        }
        Ok(())
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Refusal> {
        match self.set.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::new(format!(
                "{key} must be a text that is not empty."
            ))),
        }
    }

    /// Reads a text with `parse`, whose error says what would do.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Refusal> {
        let parse =
            |text: String| parse(&text).map_err(|wanted| Refusal::new(format!("{key} {wanted}")));
        self.text(key)?.map(parse).transpose()
    }

    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let found = choices
            .iter()
            .find(|(word, _)| *word == text.to_ascii_lowercase());
        found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let words = choices
                .iter()
                .map(|(word, _)| *word)
                .collect::<Vec<_>>()
                .join(", ");
            Refusal::new(format!("{key} must be one of: {words}."))
        })
    }

    pub(super) fn switch(&self, key: &str) -> Result<bool, Refusal> {
        match self.set.get(key) {
            None => Ok(false),
            Some(Value::Boolean(on)) => Ok(*on),
            Some(Value::String(word)) if word == "true" || word == "1" => Ok(true),
            Some(Value::String(word)) if word == "false" || word == "0" => Ok(false),
            Some(_) => Err(Refusal::new(format!("{key} must be true or false."))),
        }
    }

    pub(super) fn whole(
        &self,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.set.get(key) else {
            return Ok(None);
        };
        let number = match value {
            Value::Integer(number) => Some(*number),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        };
        number
            .filter(|number| range.contains(number))
            .map(Some)
            .ok_or_else(|| {
                Refusal::new(format!(
                    "{key} must be a whole number from {} to {}.",
                    range.start(),
                    range.end()
                ))
            })
    }

    /// Reads an array, or a text with commas, item by item.
    pub(super) fn list<T>(
        &self,
        key: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Refusal> {
        let wrong = |wanted: String| Refusal::new(format!("{key} {wanted}"));
        let items: Vec<&str> = match self.set.get(key) {
            None => Vec::new(),
            Some(Value::String(text)) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect(),
            Some(Value::Array(items)) if items.iter().all(Value::is_str) => {
                items.iter().filter_map(Value::as_str).collect()
            }
            Some(_) => return Err(wrong("must be a list of texts.".into())),
        };
        items
            .into_iter()
            .map(|item| parse(item).map_err(wrong))
            .collect()
    }
}

fn file_layer(path: &Path, read_file: &ReadFile<'_>) -> Result<Vec<(Key, Value)>, Refusal> {
    let shown = path.display();
    let text = read_file(path).map_err(|error| {
        Refusal::new(format!(
            "The configuration file {shown} cannot be read ({error})."
        ))
    })?;
    // The error's own display would quote the line, and the line may hold a secret.
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].lines().count().max(1));
        Refusal::new(format!(
            "The configuration file {shown} is not TOML: line {line}: {}.",
            error.message()
        ))
    })?;
    let mut layer = Vec::new();
    flatten("", table, &mut layer)?;
    Ok(layer)
}

fn flatten(
    section: &str,
    table: toml::Table,
    layer: &mut Vec<(Key, Value)>,
) -> Result<(), Refusal> {
    for (name, value) in table {
        let dotted = if section.is_empty() {
            name
        } else {
            format!("{section}.{name}")
        };
        match value {
            Value::Table(inner) => flatten(&dotted, inner, layer)?,
            value => layer.push((keys::find(&dotted)?, value)),
        }
    }
    Ok(())
}

fn environment_layer(environment: &Environment) -> Result<Vec<(Key, Value)>, Refusal> {
    let mut layer = Vec::new();
    if let Some(secret) = environment.get(SEEDS_ADMIN_SECRET) {
        layer.push((Key::Plain("admin_secret"), Value::from(secret.as_str())));
    }
    for (variable, text) in environment {
        let ours = variable.starts_with(PREFIX)
            && variable != CONFIG_VARIABLE
            && !NEIGHBOURS_VARIABLES.contains(&variable.as_str());
        if ours {
            layer.push((keys::find_variable(variable)?, Value::from(text.as_str())));
        }
    }
    Ok(layer)
}

/// Reads the file that a `*_file` key names; the line's end is no part of the secret.
fn read_secret(name: &str, path: &Value, read_file: &ReadFile<'_>) -> Result<String, Refusal> {
    let path = path
        .as_str()
        .ok_or_else(|| Refusal::new(format!("{name}_file must be the path of a file.")))?;
    let text = read_file(Path::new(path))
        .map_err(|error| Refusal::new(format!("{name}_file {path} cannot be read ({error}).")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
