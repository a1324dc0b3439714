//! Closing a session while a client talks through it: how long the connection goes on.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::network::ROUTER;
use crate::bench::report::Row;
use crate::bench::sessions;
use crate::bench::stage::FIRST_PUBLIC_PORT;
use crate::bench::times::Times;
use crate::portal::Portal;

const ROUNDS: usize = 30;
/// What the client has said and heard before its session is closed.
const PINGS_BEFORE: usize = 10;
/// How long the client rests between an echo and its next word; no death is told closer than that.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a connection may go on, and an echo may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Opens the first service, talks through it and closes it, over and over; to be called where the
/// client is.
///
/// # Errors
/// When the client is not let in, or its connection outlives the session.
pub(super) fn until_dead(portal: &Portal, service_id: &str) -> Result<Row> {
    let times_ms = (0..ROUNDS)
        .map(|_| until_dead_ms(portal, service_id))
        .collect::<Result<Vec<_>>>()?;
    Ok(Row::alone(
        format!(
            "revoking an access session, API call to the death of a TCP connection in use, {ROUNDS} times"
        ),
        Times::of(times_ms).to_string(),
    ))
}

fn until_dead_ms(portal: &Portal, service_id: &str) -> Result<f64> {
    let session_id = sessions::open(portal, service_id)?;
    let mut stream = TcpStream::connect((ROUTER, FIRST_PUBLIC_PORT))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    for _ in 0..PINGS_BEFORE {
        ping(&mut stream)?;
    }
    thread::scope(|scope| {
        let talk = scope.spawn(|| talk_until_dead(stream));
        let asked = Instant::now();
        sessions::close(portal, &session_id)?;
        let died = talk
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let passed = died
            .checked_duration_since(asked)
            .context("the connection died before its session was closed")?;
        Ok(passed.as_secs_f64() * 1000.0)
    })
}

/// Says when the other side was gone.
fn talk_until_dead(mut stream: TcpStream) -> Result<Instant> {
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        match ping(&mut stream) {
            Ok(()) => thread::sleep(PAUSE),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return Ok(Instant::now()),
        }
    }
    bail!("the connection had no end {LIMIT:?} after its session was closed")
}

fn ping(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"ping")?;
    stream.read_exact(&mut [0; 4])
}
