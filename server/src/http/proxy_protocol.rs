//! The PROXY protocol, versions 1 and 2: a proxy that hands on connections, not requests, says in
//! their first bytes whose they are.
//!
//! Source: HAProxy's `doc/proxy-protocol.txt` of 2020.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a trusted proxy sends where it speaks for itself and for nobody else.
pub(crate) const FOR_ITSELF: &[u8] = b"PROXY UNKNOWN\r\n";

/// What version 2 begins with; version 1 has no header shorter than this.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const V1_MAX_BYTES: usize = 107;
/// Addresses take 216 at the most; what else a proxy may tell fits by far.
const V2_MAX_BYTES: u16 = 4096;

/// Reads the header and not a byte more; `None` where the proxy speaks for itself, as its checks do.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when there is no such header, or it names no client over TCP.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        return read_v2(stream).await;
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == V1_MAX_BYTES || !line.starts_with(b"PROXY ") {
            return Err(no_header());
        }
        line.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| no_header())?;
    v1(line.trim_end_matches("\r\n"))
}

async fn read_v2(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = stream.read_u16().await?;
    if length > V2_MAX_BYTES {
        return Err(no_header());
    }
    let mut rest = vec![0; length.into()];
    stream.read_exact(&mut rest).await?;
    match (command, family) {
        (0x20, _) => Ok(None),
        (0x21, 0x11) => v2_source::<4>(&rest).map(Some).ok_or_else(no_header),
        (0x21, 0x21) => v2_source::<16>(&rest).map(Some).ok_or_else(no_header),
        _ => Err(no_header()),
    }
}

/// Two addresses, then two ports; the client is the first of each.
fn v2_source<const BYTES: usize>(rest: &[u8]) -> Option<SocketAddr> {
    let address: [u8; BYTES] = rest.get(..BYTES)?.try_into().ok()?;
    let port = rest.get(2 * BYTES..2 * BYTES + 2)?;
    let ip = match BYTES {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(&address[..]).ok()?).into(),
        _ => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(&address[..]).ok()?)),
    };
    Some(SocketAddr::new(
        ip,
        u16::from_be_bytes(port.try_into().ok()?),
    ))
}

fn v1(line: &str) -> io::Result<Option<SocketAddr>> {
    let words: Vec<&str> = line.split(' ').collect();
    let client = match words[..] {
        ["PROXY", "UNKNOWN", ..] => return Ok(None),
        ["PROXY", "TCP4", client, _, port, _] => v1_source::<Ipv4Addr>(client, port),
        ["PROXY", "TCP6", client, _, port, _] => v1_source::<Ipv6Addr>(client, port),
        _ => None,
    };
    client.map(Some).ok_or_else(no_header)
}

fn v1_source<Ip: FromStr + Into<IpAddr>>(client: &str, port: &str) -> Option<SocketAddr> {
    let ip: Ip = client.parse().ok()?;
    Some(SocketAddr::new(ip.into(), port.parse().ok()?))
}

fn no_header() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "it does not begin with a PROXY protocol header of a TCP client",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was read, and what the next reader finds.
    async fn split(bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, Vec<u8>) {
        let mut stream = bytes;
        let source = read(&mut stream).await;
        (source, stream.to_vec())
    }

    fn v2_header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("fits").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[tokio::test]
    async fn the_client_is_read_and_the_request_is_left() {
        let v4 = [203, 0, 113, 7, 192, 0, 2, 1, 0xdc, 0x04, 0x01, 0xbb];
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 7;
        v6[32..34].copy_from_slice(&[0, 80]);
        let with_more = [&v4[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat();
        for (header, expected) in [
            (
                b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n".to_vec(),
                Some("203.0.113.7:56324"),
            ),
            (
                b"PROXY TCP6 2001::7 2001::1 80 443\r\n".to_vec(),
                Some("[2001::7]:80"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (v2_header(0x21, 0x11, &v4), Some("203.0.113.7:56324")),
            (v2_header(0x21, 0x11, &with_more), Some("203.0.113.7:56324")),
            (v2_header(0x21, 0x21, &v6), Some("[2001::7]:80")),
            (v2_header(0x20, 0, b""), None),
        ] {
            let bytes = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            let (source, rest) = split(&bytes).await;
            let expected = expected.map(|text| text.parse().expect("an address"));
            assert_eq!(source.expect("is one"), expected);
            assert_eq!(rest, b"GET / HTTP/1.1\r\n");
        }
    }

    /// Whoever is let in by what nobody said would be let in as the proxy.
    #[tokio::test]
    async fn what_is_no_header_names_nobody() {
        let long = format!("PROXY TCP4 {}", "1".repeat(200));
        for wrong in [
            b"GET / HTTP/1.1\r\nHost: gate.example\r\n\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.007 192.0.2.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 2001::7 2001::1 1 2\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 2\r\n".to_vec(),
            b"PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n".to_vec(),
            b"proxy TCP4 203.0.113.7 192.0.2.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7".to_vec(),
            long.into_bytes(),
            v2_header(0x21, 0x11, &[1, 2, 3]),
            v2_header(0x21, 0x12, &[0; 12]),
            v2_header(0x21, 0x31, &[0; 216]),
            v2_header(0x11, 0x11, &[0; 12]),
            v2_header(0x21, 0x11, &vec![0; 5000]),
            SIGNATURE.to_vec(),
            Vec::new(),
        ] {
            let (source, _) = split(&wrong).await;
            assert!(source.is_err(), "{:?}", String::from_utf8_lossy(&wrong));
        }
    }

    proptest! {
        #[test]
        fn bytes_from_anywhere_never_panic(start in prop_oneof![
            Just(b"PROXY TCP4 ".to_vec()), Just(SIGNATURE.to_vec()), Just(Vec::new())
        ], bytes: Vec<u8>) {
            let bytes = [start, bytes].concat();
            let read = futures_util::FutureExt::now_or_never(split(&bytes));
            prop_assert!(read.is_some(), "it waits for nobody");
        }
    }
}
