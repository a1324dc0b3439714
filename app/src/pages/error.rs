//! What a page says when it could not be made.

use http::StatusCode;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use crate::{
    components::{Banner, ButtonLink, Page, Tone},
    context::PageContext,
    i18n::Problem,
};

/// The page for a request that failed: what happened, what to do, and the request's id.
#[component]
pub fn ErrorPage(
    /// What went wrong; it also decides the status.
    problem: Problem,
) -> impl IntoView {
    let page = PageContext::current();
    let messages = page.messages();
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(status_of(problem));
    }
    let title = match problem {
        Problem::Forbidden => messages.errors.forbidden_title,
        _ => messages.errors.error_title,
    };
    let way_out = match problem {
        Problem::Unauthenticated => ("/login", messages.errors.to_sign_in),
        _ => ("/", messages.errors.to_start),
    };
    let (reason, request_id) = (problem.text(page.lang), page.request_id.clone());
    view! {
        <Page title=title>
            <Banner tone=Tone::Bad>{reason}</Banner>
            <p class="muted">{messages.common.request_id} ": " <code>{request_id}</code></p>
            <p><ButtonLink href=way_out.0>{way_out.1}</ButtonLink></p>
        </Page>
    }
}

fn status_of(problem: Problem) -> StatusCode {
    match problem {
        Problem::Credentials | Problem::Unauthenticated => StatusCode::UNAUTHORIZED,
        Problem::Forbidden | Problem::Csrf => StatusCode::FORBIDDEN,
        Problem::NotFound | Problem::SetupLink => StatusCode::NOT_FOUND,
        Problem::OtherBytes
        | Problem::Conflict
        | Problem::Taken
        | Problem::Finished
        | Problem::LastAdmin
        | Problem::AddressFamily
        | Problem::AddressChanged
        | Problem::LimitReached
        | Problem::ServiceLimitReached
        | Problem::AddressLimitReached
        | Problem::InvitationLimitReached
        | Problem::InviterLimitReached
        | Problem::ImageName
        | Problem::ImageVersion => StatusCode::CONFLICT,
        Problem::BadRequest | Problem::NoClientAddress => StatusCode::BAD_REQUEST,
        Problem::TooLarge | Problem::QuotaExceeded => StatusCode::PAYLOAD_TOO_LARGE,
        Problem::Invalid
        | Problem::PasswordsDiffer
        | Problem::ImageTruncated
        | Problem::ImageChecksum
        | Problem::ImageHash
        | Problem::ImageChip
        | Problem::ImageSecureVersion => StatusCode::UNPROCESSABLE_ENTITY,
        Problem::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Problem::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Problem::Unavailable | Problem::RouterDown => StatusCode::SERVICE_UNAVAILABLE,
        Problem::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
    }
}
