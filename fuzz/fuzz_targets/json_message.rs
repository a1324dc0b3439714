//! Messages of both protocols: what is read is written and read again as the same.
#![no_main]

use gatehouse_router_protocol::legacy_v1::LegacyRequest;
use gatehouse_router_protocol::message::{Envelope, Request, Response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(request) = Request::parse(input) {
        assert_eq!(Envelope::parse(input), Ok(request.envelope.clone()));
        assert_eq!(Request::parse(&request.to_json()), Ok(request));
    }
    if let Ok(response) = Response::parse(input) {
        assert_eq!(Response::parse(&response.to_json()), Ok(response));
    }
    if let Ok(request) = LegacyRequest::parse(input) {
        assert_eq!(LegacyRequest::parse(&request.to_json()), Ok(request));
    }
});
