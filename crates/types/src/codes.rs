//! The closed set of `code`s in problem answers.

/// 400: the request cannot be read.
pub const BAD_REQUEST: &str = "bad_request";
/// 400: the address of the client cannot be told, so nothing is opened for it.
pub const NO_CLIENT_ADDRESS: &str = "no_client_address";
/// 401: nobody is signed in, or the credential does not hold.
pub const UNAUTHENTICATED: &str = "unauthenticated";
/// 403: this role may not do it.
pub const FORBIDDEN: &str = "forbidden";
/// 403: the request came from another site.
pub const CSRF: &str = "csrf";
/// 404: it does not exist, or belongs to somebody else.
pub const NOT_FOUND: &str = "not_found";
/// 405: the path is right, the method is not.
pub const METHOD_NOT_ALLOWED: &str = "method_not_allowed";
/// 409: it collides with what is there.
pub const CONFLICT: &str = "conflict";
/// 409: the name or address is taken.
pub const TAKEN: &str = "taken";
/// 409: the version exists with other bytes.
pub const OTHER_BYTES: &str = "other_bytes";
/// 409: it is over already.
pub const FINISHED: &str = "finished";
/// 409: the last admin cannot be removed, disabled or demoted.
pub const LAST_ADMIN: &str = "last_admin";
/// 409: the account has as many sessions open as it may have.
pub const LIMIT_REACHED: &str = "limit_reached";
/// 409: the service is open as often as it may be.
pub const SERVICE_LIMIT_REACHED: &str = "service_limit_reached";
/// 409: the client's address has as many sessions open as it may have.
pub const ADDRESS_LIMIT_REACHED: &str = "address_limit_reached";
/// 409: the account has as many lasting invitations as it may have.
pub const INVITATION_LIMIT_REACHED: &str = "invitation_limit_reached";
/// 409: whoever invited the guest has as many sessions open as they may have.
pub const INVITER_LIMIT_REACHED: &str = "inviter_limit_reached";
/// 409: the client and the service speak different address families.
pub const ADDRESS_FAMILY: &str = "address_family";
/// 412: a precondition header does not hold.
pub const PRECONDITION_FAILED: &str = "precondition_failed";
/// 413: the body is over the limit.
pub const TOO_LARGE: &str = "too_large";
/// 415: the content type is not the one this path takes.
pub const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported_media_type";
/// 416: the range lies outside the file.
pub const RANGE_NOT_SATISFIABLE: &str = "range_not_satisfiable";
/// 422: a field's value cannot be taken.
pub const INVALID: &str = "invalid";
/// 429: too many tries.
pub const TOO_MANY: &str = "too_many";
/// 500: a fault of ours.
pub const INTERNAL: &str = "internal";
/// 503: something that is needed does not answer.
pub const UNAVAILABLE: &str = "unavailable";
/// 507: no room left.
pub const STORAGE_FULL: &str = "storage_full";
