//! What devices tell of an action; clients differ in everything but a few words.

use std::collections::BTreeMap;

use gatehouse_types::rollout::ActionState;
use serde_json::Value;

use super::failure::Failure;

/// Stands in the timeline where a device rejects something without a word of its own.
const REJECTED: &str = "The device rejected it.";

/// `{"status":{"execution","result":{"finished","progress"?},"code"?,"details"?}}`, read as far as it goes.
pub(super) struct Feedback(Value);

impl Feedback {
    pub(super) fn read(body: &[u8]) -> Result<Self, Failure> {
        let told: Value = serde_json::from_slice(body).map_err(|_| Failure::bad_body())?;
        if told["status"]["execution"].is_string() {
            Ok(Self(told))
        } else {
            Err(Failure::bad_body())
        }
    }

    fn execution(&self) -> &str {
        self.0["status"]["execution"].as_str().unwrap_or_default()
    }

    fn failed(&self) -> bool {
        self.0["status"]["result"]["finished"] == "failure"
    }

    /// How far the device is; `None` for a mere word.
    pub(super) fn state(&self) -> Option<ActionState> {
        match self.execution() {
            "closed" if self.failed() => Some(ActionState::Failed),
            "closed" => Some(ActionState::Succeeded),
            "canceled" => Some(ActionState::Cancelled),
            "download" | "downloaded" => Some(ActionState::Downloading),
            "rejected" => None,
            _ => Some(ActionState::Installing),
        }
    }

    /// Whether the device stops; `None` while it has yet to say.
    pub(super) fn agrees_to_cancel(&self) -> Option<bool> {
        match self.execution() {
            "closed" => Some(!self.failed()),
            "canceled" => Some(true),
            "rejected" => Some(false),
            _ => None,
        }
    }

    /// 0..=100.
    pub(super) fn percent(&self) -> Option<u8> {
        if self.execution() == "downloaded" {
            return Some(100);
        }
        let progress = &self.0["status"]["result"]["progress"];
        let (count, of) = (progress["cnt"].as_u64()?, progress["of"].as_u64()?);
        u8::try_from(count.saturating_mul(100).checked_div(of)?.min(100)).ok()
    }

    /// The device's own words, one a line; a rejection says at least that it is one.
    pub(super) fn detail(&self) -> String {
        let status = &self.0["status"];
        let code = status["code"].as_i64().map(|code| format!("code {code}"));
        let lines = status["details"].as_array().map_or(&[][..], Vec::as_slice);
        let lines = lines.iter().filter_map(Value::as_str).map(str::to_owned);
        let words = code.into_iter().chain(lines).collect::<Vec<String>>();
        let words = words.join("\n");
        if words.trim().is_empty() && self.execution() == "rejected" {
            REJECTED.to_owned()
        } else {
            words
        }
    }
}

/// Members as texts; what is neither text nor number nor truth is left out.
pub(super) fn texts(data: &Value) -> BTreeMap<String, String> {
    let members = data.as_object().into_iter().flatten();
    members
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return None,
            };
            Some((name.clone(), text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn feedback(status: &Value) -> Feedback {
        let body = json!({ "id": 8, "time": "20140511T121314", "status": status });
        Feedback::read(body.to_string().as_bytes()).expect("reads")
    }

    #[test]
    fn every_word_that_clients_send_means_something() {
        for (execution, finished, expected) in [
            ("closed", "success", Some(ActionState::Succeeded)),
            ("closed", "none", Some(ActionState::Succeeded)),
            ("closed", "failure", Some(ActionState::Failed)),
            ("canceled", "none", Some(ActionState::Cancelled)),
            ("download", "none", Some(ActionState::Downloading)),
            ("downloaded", "none", Some(ActionState::Downloading)),
            ("proceeding", "none", Some(ActionState::Installing)),
            ("resumed", "none", Some(ActionState::Installing)),
            ("scheduled", "none", Some(ActionState::Installing)),
            ("rejected", "none", None),
        ] {
            let told =
                feedback(&json!({ "execution": execution, "result": { "finished": finished } }));
            assert_eq!(told.state(), expected, "{execution} {finished}");
        }
    }

    #[test]
    fn progress_is_a_percentage_and_nonsense_is_none() {
        let percent = |progress: Value| {
            let status = json!({ "execution": "proceeding", "result": { "finished": "none", "progress": progress } });
            feedback(&status).percent()
        };
        assert_eq!(percent(json!({ "cnt": 2, "of": 5 })), Some(40));
        assert_eq!(percent(json!({ "cnt": 7, "of": 5 })), Some(100));
        assert_eq!(percent(json!({ "cnt": 1, "of": 0 })), None);
        assert_eq!(percent(json!({ "cnt": -1, "of": 5 })), None);
    }

    #[test]
    fn whoever_rejects_without_a_reason_is_told_of_all_the_same() {
        for (execution, details, expected) in [
            ("rejected", json!(["On battery."]), "On battery."),
            ("rejected", json!([]), REJECTED),
            ("rejected", json!([""]), REJECTED),
            ("rejected", json!(null), REJECTED),
            ("proceeding", json!([]), ""),
        ] {
            let told = feedback(&json!({ "execution": execution, "details": details }));
            assert_eq!(told.detail(), expected, "{execution} {details}");
        }
    }

    #[test]
    fn odd_ids_and_times_do_no_harm_and_a_missing_word_does() {
        for (body, is_read) in [
            (
                r#"{"id":null,"time":1e400,"status":{"execution":"closed"}}"#,
                false,
            ),
            (
                r#"{"id":{},"time":[],"status":{"execution":"closed"}}"#,
                true,
            ),
            (
                r#"{"status":{"execution":"closed","details":[1,"a"]}}"#,
                true,
            ),
            (r#"{"status":{}}"#, false),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(Feedback::read(body.as_bytes()).is_ok(), is_read, "{body}");
        }
    }
}
