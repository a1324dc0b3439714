use std::{io, time::Duration};

use http::{StatusCode, Uri, uri::Scheme};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::refusal::Refusal;

const PATIENCE: Duration = Duration::from_secs(3);
const STATUS_LINE_BYTES: u64 = "HTTP/1.1 200".len() as u64;

/// `gatehouse health`: fails unless the URL answers 200 within 3 s.
pub(super) async fn health(url: &str) -> Result<(), Refusal> {
    let uri = loopback_url(url)?;
    let answer = timeout(PATIENCE, ask(&uri)).await;
    let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let status = answer.map_err(|error| {
        Refusal::new(format!(
            "{url} does not answer ({error}). Start the portal, or name its address with --url."
        ))
    })?;
    if status != StatusCode::OK {
        return Err(Refusal::new(format!(
            "{url} answers {status}. Look into the log of the portal."
        )));
    }
    println!("{url} answers {status}.");
    Ok(())
}

/// No TLS here: a health check asks its own machine, where nothing is on the way.
fn loopback_url(url: &str) -> Result<Uri, Refusal> {
    let uri = url.parse::<Uri>().ok();
    uri.filter(|uri| uri.scheme() == Some(&Scheme::HTTP) && uri.authority().is_some())
        .ok_or_else(|| {
            Refusal::new(format!(
                "{url} is no http:// address. Name the portal as this machine reaches it, such as http://127.0.0.1:3000/readyz."
            ))
        })
}

async fn ask(uri: &Uri) -> io::Result<StatusCode> {
    let host = uri.host().unwrap_or_default();
    let mut stream = TcpStream::connect(format!("{host}:{}", uri.port_u16().unwrap_or(80))).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: gatehouse-health\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    stream
        .take(STATUS_LINE_BYTES)
        .read_to_string(&mut line)
        .await?;
    line.strip_prefix("HTTP/1.1 ")
        .and_then(|code| StatusCode::from_bytes(code.as_bytes()).ok())
        .ok_or_else(|| io::Error::other("that is no HTTP/1.1 answer"))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::health;

    /// Answers one connection with `answer` and returns what `gatehouse health` says to it.
    async fn answered(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("is bound");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.expect("reads");
            stream.write_all(answer.as_bytes()).await.expect("writes");
            String::from_utf8(request[..length].to_vec()).expect("is text")
        });
        let said = health(&format!("http://{address}/readyz?a=b")).await;
        let request = server.await.expect("ends");
        let expected = format!("GET /readyz?a=b HTTP/1.1\r\nHost: {address}\r\n");
        assert!(request.starts_with(&expected), "{request}");
        said.map_err(|refusal| refusal.to_string())
    }

    #[tokio::test]
    async fn only_200_is_healthy() {
        assert_eq!(
            answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await,
            Ok(())
        );
        for (answer, words) in [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "answers 503"),
            ("HTTP/1.1 204 No Content\r\n\r\n", "answers 204"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "no HTTP/1.1 answer"),
            ("", "no HTTP/1.1 answer"),
        ] {
            let refusal = answered(answer).await.expect_err("refuses");
            assert!(refusal.contains(words), "{answer:?}: {refusal}");
        }
    }

    #[tokio::test]
    async fn a_silent_portal_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("is bound"));
        let refusal = health(&url).await.expect_err("refuses").to_string();
        assert!(refusal.contains("timed out"), "{refusal}");
    }

    #[tokio::test]
    async fn what_is_no_plain_address_is_refused() {
        for url in [
            "https://127.0.0.1:3000/readyz",
            "127.0.0.1:3000",
            "/readyz",
            "",
        ] {
            let refusal = health(url).await.expect_err("refuses").to_string();
            assert!(refusal.contains("no http:// address"), "{refusal}");
        }
    }
}
