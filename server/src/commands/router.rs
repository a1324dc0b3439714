//! `gatehouse router send`: the original's command-line client, for both protocols.

mod link;
mod message;

use gatehouse_core::ports::{Clock, random_bytes};
use gatehouse_router_protocol::{
    client::{ClientError, Connection, Link, Stamp},
    legacy_v1::{self, LegacyRequest},
    message::{Request, Response},
};

use self::link::Peer;
use crate::{
    cli::Send,
    refusal::Refusal,
    system::{SystemClock, SystemRng},
};

/// Sends one message and prints the answer.
pub(super) async fn send(words: &Send) -> Result<(), Refusal> {
    let Peer { link, is_original } = link::load(&words.config)?;
    if is_original {
        let request = message::original(words.message(), &link.api_key)?;
        send_original(link, request).await
    } else {
        let request = message::ours(words.message(), &link.api_key)?;
        send_ours(link, request).await
    }
}

async fn send_original(mut link: Link, request: LegacyRequest) -> Result<(), Refusal> {
    request.api_key.expose().clone_into(&mut link.api_key);
    let iv = random_bytes(&SystemRng);
    let sent = legacy_v1::client::exchange(&link, request.command, iv).await;
    match &sent {
        Ok(()) => println!("OK"),
        Err(ClientError::AnsweredFail) => println!("FAIL"),
        Err(_) => {}
    }
    sent.map_err(|error| refuse(&link, &error))
}

async fn send_ours(mut link: Link, request: Request) -> Result<(), Refusal> {
    request
        .envelope
        .api_key
        .expose()
        .clone_into(&mut link.api_key);
    let stamp = Stamp {
        ts_ms: SystemClock.now_ms().unsigned_abs(),
        random: random_bytes(&SystemRng),
    };
    let asked = async {
        let mut connection = Connection::open(&link).await?;
        connection.request(request.command, stamp).await
    };
    let answer = asked.await.map_err(|error| refuse(&link, &error))?;
    let response = Response {
        id: stamp.request_id(),
        outcome: Ok(answer),
    };
    println!("{}", String::from_utf8_lossy(&response.to_json()));
    Ok(())
}

/// A sentence starts with a capital letter here, and names who was asked.
fn refuse(link: &Link, error: &ClientError) -> Refusal {
    Refusal::new(format!("{} was asked, and {error}.", link.address))
}
