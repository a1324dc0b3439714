//! What a connection may take; with small limits, so that a test can wait for them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gatehouse_cosigner::{CoSigner, Limits, router, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::harness::{NOW_S, entropy};
use crate::program::{dial, exchange, get};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_mins(1);

struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<thread::JoinHandle<()>>,
    _folder: TempDir,
}

fn start(limits: Limits) -> Running {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cosigner = CoSigner::open(&folder.path().join("c"), entropy).expect("opens");
    let runtime = Runtime::new().expect("a runtime");
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("binds");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = thread::spawn(move || {
        let routes = router(Arc::new(cosigner), || NOW_S * 1000);
        runtime.block_on(serve(listener, None, routes, limits, async {
            let _ = stopped.await;
        }));
    });
    Running {
        address,
        stop: Some(stop),
        serving: Some(serving),
        _folder: folder,
    }
}

impl Running {
    fn stop(mut self) {
        drop(self.stop.take());
        let serving = self.serving.take().expect("once");
        serving.join().expect("no panic");
    }
}

fn patient() -> Limits {
    Limits {
        handshake: LONG,
        head: LONG,
        request: LONG,
        age: LONG,
        connections: 8,
    }
}

/// Sends something and gives what comes until the service hangs up.
fn until_closed(address: SocketAddr, sent: &str) -> (TcpStream, String) {
    let mut tcp = dial(address);
    tcp.write_all(sent.as_bytes()).expect("sends");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).expect("is hung up on");
    (tcp, answer)
}

#[test]
fn a_head_that_never_ends_is_hung_up_on() {
    let service = start(Limits {
        head: SHORT,
        ..patient()
    });
    until_closed(
        service.address,
        "POST /projects/x/cosign HTTP/1.1\r\nHost: c\r\n",
    );
    service.stop();
}

#[test]
fn a_body_that_never_comes_is_answered_in_the_end() {
    let service = start(Limits {
        request: SHORT,
        ..patient()
    });
    let path = "/projects/2c1a7bd0-8f0e-7c3b-9d55-0d7f2f4a9a11/cosign";
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: c\r\nContent-Type: application/jwt\r\nAuthorization: Bearer x\r\nContent-Length: 100\r\n\r\nhalf"
    );
    let (_tcp, answer) = until_closed(service.address, &head);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    service.stop();
}

#[test]
fn a_connection_grows_no_older_than_it_may() {
    let service = start(Limits {
        age: SHORT,
        ..patient()
    });
    until_closed(service.address, "");
    service.stop();
}

#[test]
fn connections_beyond_the_bound_wait_until_one_ends() {
    let service = start(Limits {
        connections: 1,
        ..patient()
    });
    let first = dial(service.address);
    let mut second = dial(service.address);
    second.set_read_timeout(Some(SHORT)).expect("sets it");
    second
        .write_all(get("/livez", "").as_bytes())
        .expect("sends");
    let nothing = second.read(&mut [0; 1]);
    assert!(nothing.is_err(), "answered beyond the bound: {nothing:?}");
    drop(first);
    second.set_read_timeout(Some(LONG)).expect("sets it");
    let mut answer = String::new();
    second.read_to_string(&mut answer).expect("is answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    service.stop();
}

#[test]
fn a_stop_ends_what_is_idle_at_once() {
    let service = start(patient());
    let answer = exchange(dial(service.address), &get("/livez", "")).expect("answers");
    assert_eq!(answer.status, 200);
    let _idle = dial(service.address);
    service.stop();
}
