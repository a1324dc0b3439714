//! Bodies of plain forms, refused in words when they are too long or no forms at all.

use axum::extract::{FromRequest, rejection::FormRejection};
use http::StatusCode;

use crate::http::problem::Problem;

/// The forms to sign in, to set up and to keep preferences are no longer than this.
pub(super) const MAX_FORM_BYTES: usize = 64 * 1024;

/// The fields of a plain form; its route limits the body to [`MAX_FORM_BYTES`].
#[derive(FromRequest)]
#[from_request(via(axum::Form), rejection(Problem))]
pub(super) struct PlainForm<T>(pub(super) T);

impl From<FormRejection> for Problem {
    fn from(rejection: FormRejection) -> Self {
        unreadable(rejection.status(), MAX_FORM_BYTES)
    }
}

/// Turns the status by which axum refused a body into a problem.
pub(super) fn unreadable(status: StatusCode, limit_bytes: usize) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::too_large(limit_bytes as u64)
    } else {
        Problem::bad_request(
            "The form could not be read. Open the page again and send it from there.",
        )
    }
}
