//! How long a connection may take for what.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::{Limits, PATIENT, Server, quick, read_to_close, read_until};

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let server = Server::plain().await;
    let started = Instant::now();
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n")
        .await
        .expect("sends");
    read_to_close(&mut stream).await;
    let took = started.elapsed();
    assert!(took >= quick().head && took < quick().idle, "{took:?}");
}

#[tokio::test]
async fn dripping_head_bytes_buys_no_time() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    let started = Instant::now();
    let mut drip = async || {
        loop {
            if stream.write_all(b"G").await.is_err() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENT, drip())
        .await
        .expect("the server closes in time");
    assert!(started.elapsed() < quick().idle, "{:?}", started.elapsed());
}

#[tokio::test]
async fn silence_between_requests_has_a_limit_of_its_own() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream
            .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .expect("sends");
        read_until(&mut stream, "hello").await;
        // Longer than a head may take: the clock of a head must not run between requests.
        sleep(Duration::from_millis(800)).await;
    }
    let started = Instant::now();
    read_to_close(&mut stream).await;
    assert!(started.elapsed() < quick().idle, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_second_head_is_timed_like_the_first() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    read_until(&mut stream, "hello").await;
    let started = Instant::now();
    stream.write_all(b"GET /hel").await.expect("sends");
    read_to_close(&mut stream).await;
    let took = started.elapsed();
    assert!(took >= quick().head && took < quick().idle, "{took:?}");
}

#[tokio::test]
async fn a_running_request_outlives_every_silence() {
    let limits = Limits {
        head: Duration::from_millis(150),
        idle: Duration::from_millis(300),
        ..quick()
    };
    let server = Server::start(limits, None).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    assert!(
        read_until(&mut stream, "slow")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn an_upload_that_stands_still_is_408() {
    let server = Server::plain().await;
    let answer = server
        .exchange(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        .await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn an_upload_that_moves_slowly_passes() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 2560\r\n\r\n")
        .await
        .expect("sends");
    for _ in 0..5 {
        sleep(Duration::from_millis(250)).await;
        stream.write_all(&[b'x'; 512]).await.expect("sends");
    }
    assert!(
        read_until(&mut stream, "\r\n\r\n2560")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn an_upload_that_drips_is_408() {
    let server = Server::plain().await;
    let started = Instant::now();
    let (mut answers, mut drips) = server.connect().await.into_split();
    drips
        .write_all(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        .await
        .expect("sends");
    let dripping = tokio::spawn(async move {
        while drips.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    let mut answer = [0; 12];
    timeout(PATIENT, answers.read_exact(&mut answer))
        .await
        .expect("an answer before all has dripped in")
        .expect("an open connection");
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(
        started.elapsed() >= quick().stall,
        "{:?}",
        started.elapsed()
    );
    dripping.abort();
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_off() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    sleep(quick().stall * 3).await;
    let mut taken = Vec::new();
    let _ = timeout(PATIENT, stream.read_to_end(&mut taken))
        .await
        .expect("the server has closed");
    assert!(taken.len() < 64 << 20, "the whole body came");
}
