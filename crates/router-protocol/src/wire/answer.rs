//! Answers in JSON.

use super::{need, require_version};
use crate::VERSION;
use crate::message::{
    Answer, DaemonStatus, ErrorCode, InvalidMessage, OpenSession, Refusal, Response,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An answer as it stands in JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct AnswerWire {
    v: u8,
    id: Uuid,
    ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<ErrorCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<OpenSession>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sessions: Option<Vec<OpenSession>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    daemon: Option<DaemonStatus>,
}

impl AnswerWire {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, InvalidMessage> {
        let wire: Self = serde_json::from_slice(json).map_err(InvalidMessage::new)?;
        require_version(wire.v)?;
        Ok(wire)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain members always have a JSON form")
    }

    pub(crate) fn into_response(mut self) -> Result<Response, InvalidMessage> {
        let outcome = if self.ok {
            Ok(self.take_answer())
        } else {
            Err(Refusal {
                code: need(&mut self.code, "code")?,
                // A daemon's words end up on an admin's page: same rules as for any reason.
                reason: InvalidMessage::new(need(&mut self.reason, "reason")?).to_string(),
                now_ms: need(&mut self.now_ms, "now_ms")?,
            })
        };
        Ok(Response {
            id: self.id,
            outcome,
        })
    }

    fn take_answer(&mut self) -> Answer {
        if let Some(session) = self.session {
            Answer::Session(session)
        } else if let Some(sessions) = self.sessions.take() {
            Answer::Sessions {
                sessions,
                next: self.next,
            }
        } else if let Some(removed) = self.removed {
            Answer::Flushed { removed }
        } else if let Some(bytes) = self.bytes {
            Answer::Closed { bytes }
        } else if let Some(latency_ms) = self.latency_ms {
            Answer::Reachable { latency_ms }
        } else if let Some(daemon) = self.daemon.take() {
            Answer::Status(daemon)
        } else {
            Answer::Done
        }
    }

    pub(crate) fn from_response(response: &Response) -> Self {
        let mut wire = Self {
            v: VERSION,
            id: response.id,
            ok: response.outcome.is_ok(),
            ..Self::default()
        };
        match response.outcome.clone() {
            Ok(answer) => wire.put_answer(answer),
            Err(refusal) => {
                wire.code = Some(refusal.code);
                wire.reason = Some(refusal.reason);
                wire.now_ms = Some(refusal.now_ms);
            }
        }
        wire
    }

    fn put_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Done => {}
            Answer::Session(session) => self.session = Some(session),
            Answer::Sessions { sessions, next } => {
                self.sessions = Some(sessions);
                self.next = next;
            }
            Answer::Flushed { removed } => self.removed = Some(removed),
            Answer::Closed { bytes } => self.bytes = Some(bytes),
            Answer::Reachable { latency_ms } => self.latency_ms = Some(latency_ms),
            Answer::Status(daemon) => self.daemon = Some(daemon),
        }
    }
}
