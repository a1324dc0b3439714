//! What must hold for every message, key and alteration.

use gatehouse_router_protocol::frame::MAX_FRAME_BYTES;
use gatehouse_router_protocol::legacy_v1::{
    Door, IV_BYTES, LegacyCommand, LegacyKey, LegacyRequest,
};
use gatehouse_router_protocol::mac::MacAddress;
use gatehouse_router_protocol::message::{
    Answer, Command, DaemonStatus, Envelope, ErrorCode, LIST_PAGE_SESSIONS, OpenSession, Protocol,
    Refusal, Request, RequestNonce, Response, Route,
};
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use uuid::Uuid;

fn uuids() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    any::<IpAddr>().prop_map(|address| address.to_canonical())
}

/// Any card's address: the bit of groups is off and one other is on.
fn card(mut bytes: [u8; 6]) -> MacAddress {
    bytes[0] = bytes[0] & 0xfe | 0x02;
    MacAddress::new(bytes).unwrap()
}

fn legacy_commands() -> impl Strategy<Value = LegacyCommand> {
    let doors = || {
        (any::<[u8; 4]>(), 1024_u16..=65534, any::<[u8; 4]>()).prop_map(
            |(ip_src, port_dst, ip_dst_lan)| Door {
                ip_src: ip_src.into(),
                port_dst,
                ip_dst_lan: ip_dst_lan.into(),
            },
        )
    };
    let add = (doors(), 1_u16.., 1_u16..=998).prop_map(|(door, port_dst_lan, timeout_minutes)| {
        LegacyCommand::Add {
            door,
            port_dst_lan,
            timeout_minutes,
        }
    });
    let del = (doors(), proptest::option::of(any::<u16>()))
        .prop_map(|(door, port_dst_lan)| LegacyCommand::Del { door, port_dst_lan });
    prop_oneof![add, del, Just(LegacyCommand::Flush),]
}

fn routes() -> impl Strategy<Value = Route> {
    let protocols = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    (addresses(), 1_u16.., addresses(), 1_u16.., protocols).prop_map(
        |(ip_src, port_dst, ip_dst_lan, port_dst_lan, protocol)| Route {
            ip_src,
            port_dst,
            ip_dst_lan,
            port_dst_lan,
            protocol,
        },
    )
}

fn commands() -> impl Strategy<Value = Command> {
    let add =
        (uuids(), routes(), 1_u32..).prop_map(|(session_id, route, duration_s)| Command::Add {
            session_id,
            route,
            duration_s,
        });
    let extend = (uuids(), 1_u32..).prop_map(|(session_id, duration_s)| Command::Extend {
        session_id,
        duration_s,
    });
    let probe = (addresses(), 1_u16..).prop_map(|(ip, port)| Command::Probe {
        target: SocketAddr::new(ip, port),
    });
    prop_oneof![
        add,
        extend,
        probe,
        uuids().prop_map(|session_id| Command::Del { session_id }),
        proptest::option::of(uuids()).prop_map(|after| Command::List { after }),
        Just(Command::Flush),
        any::<[u8; 6]>().prop_map(|bytes| Command::Wake { mac: card(bytes) }),
        Just(Command::Ping),
    ]
}

prop_compose! {
    fn requests()(
        id in uuids(), ts_ms: u64, nonce: [u8; 16], api_key in ".{0,64}", command in commands(),
    ) -> Request {
        let envelope = Envelope { id, ts_ms, nonce: RequestNonce(nonce), api_key: Secret::new(api_key) };
        Request { envelope, command }
    }
}

fn open_sessions() -> impl Strategy<Value = OpenSession> {
    (uuids(), routes(), any::<(u64, Option<u64>)>()).prop_map(
        |(session_id, route, (remaining_ms, bytes))| OpenSession {
            session_id,
            route,
            remaining_ms,
            bytes,
        },
    )
}

fn answers() -> impl Strategy<Value = Answer> {
    let pages = (
        proptest::collection::vec(open_sessions(), 0..4),
        proptest::option::of(uuids()),
    )
        .prop_map(|(sessions, next)| Answer::Sessions { sessions, next });
    let status =
        (".{0,20}", any::<u64>(), any::<[u32; 3]>()).prop_map(|(version, now_ms, figures)| {
            Answer::Status(DaemonStatus {
                version,
                now_ms,
                backend: "dry-run".into(),
                sessions: figures[0],
                max_sessions: figures[1],
                max_minutes: figures[2],
            })
        });
    prop_oneof![
        pages,
        status,
        Just(Answer::Done),
        open_sessions().prop_map(Answer::Session),
        any::<u32>().prop_map(|removed| Answer::Flushed { removed }),
        any::<u64>().prop_map(|bytes| Answer::Closed { bytes }),
        any::<u32>().prop_map(|latency_ms| Answer::Reachable { latency_ms }),
    ]
}

proptest! {
    #[test]
    fn every_request_survives_the_way(request in requests(), nonce: [u8; 12], aes_key in ".{16,40}") {
        let key = LinkKey::derive(&Secret::new(aes_key));
        let line = key.seal(Direction::Request, nonce, &request.to_json()).unwrap();
        let opened = key.open(Direction::Request, line.as_bytes()).unwrap();
        prop_assert_eq!(Envelope::parse(&opened).unwrap(), request.envelope.clone());
        prop_assert_eq!(Request::parse(&opened).unwrap(), request);
    }

    #[test]
    fn every_answer_survives_its_json(id in uuids(), answer in answers()) {
        let response = Response { id, outcome: Ok(answer) };
        prop_assert_eq!(Response::parse(&response.to_json()).unwrap(), response);
    }

    #[test]
    fn every_request_of_version_1_survives_the_way(
        command in legacy_commands(), api_key in ".{0,64}", iv: [u8; IV_BYTES], aes_key in ".{16,40}",
    ) {
        let request = LegacyRequest { api_key: Secret::new(api_key), command };
        let key = LegacyKey::derive(&Secret::new(aes_key));
        let blob = key.seal(iv, &request.to_json()).unwrap();
        let opened = key.open(blob.as_bytes()).unwrap();
        prop_assert_eq!(LegacyRequest::parse(&opened.message).unwrap(), request);
    }

    #[test]
    fn bytes_from_anywhere_are_refused_without_a_panic(bytes: Vec<u8>, text in "\\PC*") {
        let key = LinkKey::derive(&Secret::new("0123456789abcdef"));
        prop_assert!(key.open(Direction::Request, &bytes).is_err());
        prop_assert!(key.open(Direction::Request, text.as_bytes()).is_err());
        prop_assert!(Request::parse(&bytes).is_err());
        prop_assert!(Response::parse(text.as_bytes()).is_err());
        prop_assert!(LegacyRequest::parse(&bytes).is_err());
        prop_assert!(LegacyKey::derive(&Secret::new("k")).open(&bytes).is_none());
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let key = LinkKey::derive(&Secret::new("0123456789abcdef"));
    let line = key
        .seal(Direction::Request, [3; 12], br#"{"action":"ping"}"#)
        .unwrap()
        .into_bytes();
    for length in 0..line.len() {
        assert!(
            key.open(Direction::Request, &line[..length]).is_err(),
            "cut to {length}"
        );
    }
    for position in 0..line.len() * 8 {
        let mut altered = line.clone();
        altered[position / 8] ^= 1 << (position % 8);
        assert!(
            key.open(Direction::Request, &altered).is_err(),
            "bit {position}"
        );
    }
}

#[test]
fn the_longest_page_of_a_list_fits_into_one_frame() {
    let widest: IpAddr = Ipv6Addr::from([0xffff_u16; 8]).into();
    let route = Route {
        ip_src: widest,
        port_dst: u16::MAX,
        ip_dst_lan: widest,
        port_dst_lan: u16::MAX,
        protocol: Protocol::Tcp,
    };
    let session = OpenSession {
        session_id: Uuid::max(),
        route,
        remaining_ms: u64::MAX,
        bytes: Some(u64::MAX),
    };
    let page = Answer::Sessions {
        sessions: vec![session; LIST_PAGE_SESSIONS],
        next: Some(Uuid::max()),
    };
    let response = Response {
        id: Uuid::max(),
        outcome: Ok(page),
    };
    let key = LinkKey::derive(&Secret::new("0123456789abcdef"));
    let line = key
        .seal(Direction::Answer, [0; 12], &response.to_json())
        .expect("it fits");
    assert!(line.len() <= MAX_FRAME_BYTES);
}

#[test]
fn a_message_over_the_limit_is_not_sealed() {
    let key = LinkKey::derive(&Secret::new("0123456789abcdef"));
    assert!(
        key.seal(Direction::Answer, [0; 12], &[b'a'; MAX_FRAME_BYTES])
            .is_err()
    );
}

#[test]
fn a_refusal_from_a_hostile_daemon_is_made_printable() {
    let refusal = Refusal {
        code: ErrorCode::Internal,
        reason: "a\r\n\u{1b}[2Jb\u{202e}c".into(),
        now_ms: 1,
    };
    let response = Response {
        id: Uuid::nil(),
        outcome: Err(refusal),
    };
    let read = Response::parse(&response.to_json())
        .unwrap()
        .outcome
        .unwrap_err();
    assert_eq!(read.reason, "a???[2Jb?c");
}
