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
/// 409: the client comes from another address than the one that its page showed.
pub const ADDRESS_CHANGED: &str = "address_changed";
/// 409: the upload has another length so far than the request says.
pub const UPLOAD_OFFSET: &str = "upload_offset";
/// 412: a precondition header does not hold.
pub const PRECONDITION_FAILED: &str = "precondition_failed";
/// 413: the body is over the limit.
pub const TOO_LARGE: &str = "too_large";
/// 413: the project's images would take more room than it may have.
pub const QUOTA_EXCEEDED: &str = "quota_exceeded";
/// 415: the content type is not the one this path takes.
pub const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported_media_type";
/// 416: the range lies outside the file.
pub const RANGE_NOT_SATISFIABLE: &str = "range_not_satisfiable";
/// 422: a field's value cannot be taken.
pub const INVALID: &str = "invalid";
/// 422: the image ends before its headers say so.
pub const IMAGE_TRUNCATED: &str = "image_truncated";
/// 422: the image's checksum is wrong.
pub const IMAGE_CHECKSUM: &str = "image_checksum";
/// 422: the SHA-256 appended to the image is wrong.
pub const IMAGE_HASH: &str = "image_hash";
/// 422: the image is built for a chip that the project does not name.
pub const IMAGE_CHIP: &str = "image_chip";
/// 422: the image's security version is lower than one that is published.
pub const IMAGE_SECURE_VERSION: &str = "image_secure_version";
/// 409: the image belongs to another firmware than what was published before; an admin may overrule it.
pub const IMAGE_NAME: &str = "image_name";
/// 409: the image was built as another version than it is uploaded as; an admin may overrule it.
pub const IMAGE_VERSION: &str = "image_version";
/// 423: another request is sending bytes of this upload.
pub const UPLOAD_BUSY: &str = "upload_busy";
/// 429: too many tries.
pub const TOO_MANY: &str = "too_many";
/// 460: the bytes of this request are not those that its checksum names.
pub const CHECKSUM_MISMATCH: &str = "checksum_mismatch";
/// 500: a fault of ours.
pub const INTERNAL: &str = "internal";
/// 503: something that is needed does not answer.
pub const UNAVAILABLE: &str = "unavailable";
/// 503: the co-signer does not answer, so no manifest can be signed.
pub const COSIGNER_UNREACHABLE: &str = "cosigner_unreachable";
/// 503: the co-signer does not sign this release now.
pub const COSIGNER_REFUSED: &str = "cosigner_refused";
/// 503: the clocks of portal and co-signer are too far apart.
pub const COSIGNER_CLOCK: &str = "cosigner_clock";
/// 507: no room left.
pub const STORAGE_FULL: &str = "storage_full";
