//! HAProxy where it hands on connections and not requests: the PROXY protocol, versions 1 and 2.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{PATIENCE, VISITOR, client::Client, front::Kind};
use crate::{
    furnish::{ADMIN, PASSWORD, text_of},
    program::{Home, SERVE, Serving},
};

/// One address for each version.
struct Relay {
    child: Child,
    versions: [SocketAddr; 2],
}

impl Relay {
    async fn start(program: &Path, home: &Home, portal: &str) -> Self {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let versions = listeners.map(|listener| listener.local_addr().expect("an address"));
        let [one, two] = versions;
        let config = format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
             listen one\n  bind {one}\n  server portal {portal} send-proxy check check-send-proxy\n\
             listen two\n  bind {two}\n  server portal {portal} send-proxy-v2 check check-send-proxy\n"
        );
        let file = home.path("haproxy.cfg");
        fs::write(&file, config).expect("writes");
        let mut command = Command::new(program);
        command.args(["-db", "-f"]).arg(file).stderr(Stdio::null());
        let child = command.spawn().expect("starts");
        let relay = Self { child, versions };
        let started = Instant::now();
        for to in versions {
            while visitor(to).connect().await.is_err() {
                assert!(started.elapsed() < PATIENCE, "HAProxy does not listen");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        relay
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn visitor(to: SocketAddr) -> Client {
    Client {
        to,
        from: VISITOR,
        tls: None,
    }
}

fn portal_behind(home: &Home) -> Serving {
    let create = ["admin", "create", "--email", ADMIN, "--password-stdin"];
    assert!(home.run(&create, PASSWORD).status.success());
    let mut command = home.command(&SERVE);
    command
        .env("GATEHOUSE_TRUSTED_PROXIES", "127.0.0.1")
        .env("GATEHOUSE_FORWARDED_HEADER", "proxy-protocol");
    home.start(command)
}

/// Or services would open for the proxy, and so for everybody who comes through it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_a_connection_is_who_haproxy_says() {
    let Some(program) = Kind::Haproxy.program() else {
        println!("skipped: haproxy is not installed");
        return;
    };
    let home = Home::new();
    let portal = portal_behind(&home);
    let relay = Relay::start(&program, &home, &portal.address).await;
    for to in relay.versions {
        let client = visitor(to);
        let login = json!({ "user": ADMIN, "pass": PASSWORD });
        let login = client.post("/api/login", &[], &login).await.json();
        let bearer = format!("Authorization: Bearer {}", text_of(&login, "token"));
        for forged in [
            "X-Forwarded-For: 203.0.113.66",
            "Forwarded: for=203.0.113.66",
            "Proxy-Protocol: 203.0.113.66",
        ] {
            let me = client.get("/api/v1/me", &[&bearer, forged]).await;
            assert_eq!(me.json()["client_ip"], VISITOR.to_string(), "{forged}");
        }
    }
}

/// A stranger's header counts nothing, and without the proxy's own nobody is served in its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_trusted_proxy_says_whose_connection_it_is() {
    const HEADER: &str = "PROXY TCP4 203.0.113.66 192.0.2.1 1 2\r\n";
    const ASKED: &str = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let home = Home::new();
    let portal = portal_behind(&home);
    let answer = async |from: Ipv4Addr, bytes: &str| {
        let client = Client {
            from,
            ..visitor(portal.address.parse().expect("an address"))
        };
        let mut stream = client.connect().await.expect("connects");
        stream.write_all(bytes.as_bytes()).await.expect("sends");
        let mut answer = String::new();
        // What is refused may be cut off with a reset.
        let _cut = stream.read_to_string(&mut answer).await;
        answer
    };
    let with_header = format!("{HEADER}{ASKED}");
    let served = answer(Ipv4Addr::LOCALHOST, &with_header).await;
    assert!(served.starts_with("HTTP/1.1 200 "), "{served}");
    assert_eq!(
        answer(Ipv4Addr::LOCALHOST, ASKED).await,
        "",
        "nobody is named"
    );
    let strangers = answer(VISITOR, &with_header).await;
    assert!(strangers.starts_with("HTTP/1.1 400 "), "{strangers}");
    let plain = answer(VISITOR, ASKED).await;
    assert!(plain.starts_with("HTTP/1.1 200 "), "{plain}");

    let mut health = home.command(&["health", "--listen", &portal.address]);
    health
        .env("GATEHOUSE_TRUSTED_PROXIES", "127.0.0.1")
        .env("GATEHOUSE_FORWARDED_HEADER", "proxy-protocol");
    assert!(health.status().expect("runs").success());
}
