//! Log lines on stderr, as text or JSON, one event a line whatever is in it.
//!
//! Every event carries the id of the request it was written for. Control characters, escape
//! sequences and direction overrides in logged values come out as `\u{…}`, so no visitor can
//! forge a line or paint a terminal.
//!
//! **Never log**: tokens and JWTs (also as `?token=`), cookies, passwords, recovery and set-up
//! links, API and AES keys, the admin secret, database URLs, e-mail addresses, SSIDs, bodies, and
//! query strings. Log ids instead: account, session, device, `jti`.

use std::borrow::Cow;
use std::fmt::{self, Debug, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;
use crate::http::request_id;
use crate::refusal::Refusal;

/// Sends the log to stderr and panics into the log.
///
/// `filter` is a list of `tracing` directives such as `info,gatehouse::access=warn`.
///
/// # Errors
/// A sentence when `filter` cannot be read.
pub fn init(format: LogFormat, filter: &str) -> Result<(), Refusal> {
    let directives = EnvFilter::try_new(filter).map_err(|error| {
        Refusal::new(format!("log.filter is not a list of directives ({error})."))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(directives)
        .event_format(Lines { format })
        .with_writer(std::io::stderr)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let said = panic.payload_as_str().unwrap_or("something unprintable");
        tracing::error!(place, said, "a panic was caught");
    }));
    Ok(())
}

/// Writes each event as one line in the configured format.
#[derive(Debug, Clone, Copy)]
struct Lines {
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = Line::read(event)?;
        match self.format {
            LogFormat::Text => line.write_text(&mut writer),
            LogFormat::Json => line.write_json(&mut writer),
        }
    }
}

struct Line {
    time: String,
    level: &'static str,
    target: String,
    message: String,
    fields: Map<String, Value>,
}

impl Line {
    fn read(event: &Event<'_>) -> Result<Self, fmt::Error> {
        let metadata = event.metadata();
        let mut line = Self {
            time: String::new(),
            level: metadata.level().as_str(),
            target: metadata.target().to_owned(),
            message: String::new(),
            fields: Map::new(),
        };
        SystemTime.format_time(&mut Writer::new(&mut line.time))?;
        event.record(&mut line);
        if let Some(id) = request_id::current() {
            line.put("request_id", Value::from(id.to_string()));
        }
        Ok(line)
    }

    fn put(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    fn write_text(&self, out: &mut impl Write) -> fmt::Result {
        let message = neutral(&self.message);
        write!(
            out,
            "{} {:>5} {}: {message}",
            self.time, self.level, self.target
        )?;
        for (name, value) in &self.fields {
            match value {
                Value::String(text) if is_plain(text) => write!(out, " {name}={text}")?,
                other => write!(out, " {name}={}", neutral(&other.to_string()))?,
            }
        }
        writeln!(out)
    }

    fn write_json(mut self, out: &mut impl Write) -> fmt::Result {
        let fields = std::mem::take(&mut self.fields);
        let mut all = Map::new();
        all.insert("time".into(), self.time.into());
        all.insert("level".into(), self.level.into());
        all.insert("target".into(), self.target.into());
        all.insert("message".into(), neutral(&self.message).into());
        all.extend(fields.into_iter().map(|(name, value)| match value {
            Value::String(text) => (name, Value::from(neutral(&text))),
            other => (name, other),
        }));
        writeln!(out, "{}", Value::Object(all))
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.put(name, Value::from(value)),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), Value::from(value));
    }
}

/// Tells whether a value reads as one word in `name=value` without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_whitespace() && !is_harmful(c) && !matches!(c, '"' | '='))
}

/// Spells out every character that could end a line, steer a terminal or turn the reading order.
fn neutral(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::Lines;
    use crate::config::LogFormat;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .expect("no panic while writing")
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(format: LogFormat, write_events: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Lines { format })
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, write_events);
        let bytes = memory.0.lock().expect("no panic while writing").clone();
        String::from_utf8(bytes).expect("a log of text")
    }

    const EVIL: &str = "x\r\n2026 ERROR forged\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\u{0}";

    #[test]
    fn text_stays_on_one_line_and_steers_no_terminal() {
        let line = log(
            LogFormat::Text,
            || tracing::info!(path = EVIL, shown = %EVIL, count = 3, "got {EVIL}"),
        );
        assert_eq!(line.lines().count(), 1, "{line:?}");
        assert!(
            !line.trim_end_matches('\n').contains(super::is_harmful),
            "{line:?}"
        );
        assert!(line.contains("count=3"), "{line:?}");
    }

    #[test]
    fn a_value_cannot_pose_as_another_field() {
        let line = log(LogFormat::Text, || {
            tracing::info!(path = "/a status=200", "request");
        });
        assert!(line.contains("path=\"/a status=200\""), "{line:?}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let line = log(LogFormat::Json, || {
            tracing::warn!(path = EVIL, open = true, "got {EVIL}");
        });
        assert_eq!(line.lines().count(), 1, "{line:?}");
        assert!(
            !line.trim_end_matches('\n').contains(super::is_harmful),
            "{line:?}"
        );
        let event: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
        assert_eq!(event["level"], "WARN");
        assert_eq!(event["open"], true);
        assert!(
            event["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("got x\\u{d}"))
        );
    }

    #[test]
    fn a_log_line_names_its_request() {
        let ids = crate::http::request_id::RequestIds::new([1; 8]);
        let id = ids.next();
        let line = log(LogFormat::Text, || {
            id.scope_sync(|| {
                tracing::info!("inside");
            });
        });
        assert!(line.contains(&format!("request_id={id}")), "{line:?}");
    }
}
