//! Errors in hawkBit's shape.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use gatehouse_core::Error;
use gatehouse_types::codes;
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};

use crate::http::problem::Problem;

/// Why a device was not served.
#[derive(Debug)]
pub(super) enum Failure {
    /// 401 with an empty body.
    Unauthenticated,
    /// In hawkBit's shape.
    Refused {
        status: StatusCode,
        class: &'static str,
        code: &'static str,
        message: String,
    },
    /// In hawkBit's shape, and after how many seconds to try again.
    Later {
        status: StatusCode,
        class: &'static str,
        code: &'static str,
        message: String,
        retry_after_s: u64,
    },
    /// A fault of ours or of the bytes: as everywhere else.
    Other(Problem),
}

impl Failure {
    pub(super) const fn unauthenticated() -> Self {
        Self::Unauthenticated
    }

    pub(super) fn not_found() -> Self {
        Self::Refused {
            status: StatusCode::NOT_FOUND,
            class: "EntityNotFoundException",
            code: "hawkbit.server.error.repo.entitiyNotFound",
            message: "There is no such action for this device.".into(),
        }
    }

    pub(super) fn bad_body() -> Self {
        Self::Refused {
            status: StatusCode::BAD_REQUEST,
            class: "MessageNotReadableException",
            code: "hawkbit.server.error.rest.body.notReadable",
            message: "The body is not the JSON that is asked for here.".into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Unauthenticated(_) => Self::Unauthenticated,
            Error::NotFound(_) => Self::not_found(),
            Error::Conflict { code, .. } if *code == codes::FINISHED => Self::Refused {
                status: StatusCode::GONE,
                class: "CancelActionNotAllowedException",
                code: "hawkbit.server.error.action.notActive",
                message: error.to_string(),
            },
            Error::Conflict { .. } => Self::Refused {
                status: StatusCode::CONFLICT,
                class: "EntityAlreadyExistsException",
                code: "hawkbit.server.error.repo.entitiyAlreayExists",
                message: error.to_string(),
            },
            Error::Invalid { .. } => Self::Refused {
                status: StatusCode::BAD_REQUEST,
                class: "ConstraintViolationException",
                code: "hawkbit.server.error.repo.constraintViolation",
                message: error.to_string(),
            },
            Error::TooMany { retry_after_s } => Self::Later {
                status: StatusCode::TOO_MANY_REQUESTS,
                class: "AssignmentQuotaExceededException",
                code: "hawkbit.server.error.quota.tooManyEntries",
                message: error.to_string(),
                retry_after_s: *retry_after_s,
            },
            Error::Unavailable { retry_after_s, .. } => Self::Later {
                status: StatusCode::SERVICE_UNAVAILABLE,
                class: "GenericSpServerException",
                code: "hawkbit.server.error.repo.genericError",
                message: error.to_string(),
                retry_after_s: *retry_after_s,
            },
            _ => Self::Other(error.into()),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED.into_response(),
            Self::Refused {
                status,
                class,
                code,
                message,
            } => (status, shaped(class, code, &message)).into_response(),
            Self::Later {
                status,
                class,
                code,
                message,
                retry_after_s,
            } => {
                let headers = [(RETRY_AFTER, HeaderValue::from(retry_after_s))];
                (status, headers, shaped(class, code, &message)).into_response()
            }
            Self::Other(problem) => problem.into_response(),
        }
    }
}

fn shaped(class: &str, code: &str, message: &str) -> Json<Value> {
    Json(json!({ "exceptionClass": class, "errorCode": code, "message": message }))
}
