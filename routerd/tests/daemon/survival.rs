//! Requests that were taken stay taken, although the daemon was killed; and what its log says.

use crate::harness::{Home, add, fresh_stamp};
use crate::legacy::{DOOR, home_with_version_1};
use crate::program::{Process, run_command};
use gatehouse_router_protocol::client::{self, ClientError, Link, Stamp};
use gatehouse_router_protocol::legacy_v1::{self, IV_BYTES, LegacyCommand};
use gatehouse_router_protocol::message::Command;
use gatehouse_routerd::clock::{Clock, SystemClock};

fn stamp() -> Stamp {
    fresh_stamp(SystemClock.now_ms())
}

fn iv() -> [u8; IV_BYTES] {
    let random = stamp().random;
    std::array::from_fn(|index| random[index])
}

async fn sessions(link: &Link) -> usize {
    client::list_all(link, stamp).await.unwrap().len()
}

#[tokio::test]
async fn a_request_is_refused_again_after_a_kill() {
    let home = home_with_version_1();
    let daemon = Process::start(run_command(&home));
    let link = home.link(daemon.address);
    let (stamp, iv) = (stamp(), iv());
    let legacy = LegacyCommand::Add {
        door: DOOR,
        port_dst_lan: 80,
        timeout_minutes: 5,
    };
    client::exchange(&link, add(1, 60), stamp).await.unwrap();
    legacy_v1::client::exchange(&link, legacy, iv)
        .await
        .unwrap();
    // SIGKILL the moment after the answer: what was not on disk by then is lost.
    daemon.kill();

    let daemon = Process::start(run_command(&home));
    let link = home.link(daemon.address);
    client::exchange(&link, Command::Flush, self::stamp())
        .await
        .unwrap();
    let again = client::exchange(&link, add(1, 60), stamp).await;
    assert_eq!(again, Err(ClientError::NotAccepted));
    let again = legacy_v1::client::exchange(&link, legacy, iv).await;
    assert_eq!(again, Err(ClientError::AnsweredFail));
    assert_eq!(sessions(&link).await, 0);
}

/// Does each thing wrong once, in both protocols, and gives the log.
async fn log_of_wrong_requests(home: &Home) -> String {
    let daemon = Process::start(run_command(home));
    let right = home.link(daemon.address);
    let wrong_api = Link {
        api_key: "k".repeat(20),
        ..right.clone()
    };
    let wrong_aes = Link {
        aes_key: "k".repeat(20),
        ..right.clone()
    };
    let (taken, taken_iv) = (stamp(), iv());
    let old = fresh_stamp(SystemClock.now_ms() - 90_000);
    for (link, stamp) in [
        (&wrong_aes, stamp()),
        (&wrong_api, stamp()),
        (&right, old),
        (&right, taken),
        (&right, taken),
    ] {
        let _ = client::exchange(link, Command::Flush, stamp).await;
    }
    for (link, iv) in [
        (&wrong_aes, iv()),
        (&wrong_api, iv()),
        (&right, taken_iv),
        (&right, taken_iv),
    ] {
        let _ = legacy_v1::client::exchange(link, LegacyCommand::Flush, iv).await;
    }
    daemon.terminate().1
}

#[tokio::test]
async fn the_log_says_precisely_what_was_wrong_and_never_a_key() {
    let home = home_with_version_1();
    let log = log_of_wrong_requests(&home).await;
    for sentence in [
        "hung up: the frame was sealed with another AES key, or was altered on its way",
        "not accepted: the API key is wrong",
        "ms from this one, more than 60 s",
        "not accepted: the request was played again",
        "version 1, not accepted: what came is no whole request sealed with this AES key",
        "version 1, not accepted: the API key is wrong",
        "version 1, not accepted: the request was played again",
    ] {
        assert!(log.contains(sentence), "{sentence} is missing in:\n{log}");
    }
    for secret in [&home.made.api_key, &home.made.aes_key, &"k".repeat(20)] {
        assert!(!log.contains(secret.as_str()), "{log}");
    }
}
