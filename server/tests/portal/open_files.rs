//! How many files the portal may have open, and what follows for connections.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

use crate::program::{Home, SERVE, Serving};

/// Starts a portal whose shell sets limits beforehand.
fn serve_with(home: &Home, limits: &str) -> Serving {
    let mut shell = Command::new("sh");
    shell
        .env_clear()
        .args(["-c", &format!("{limits} && exec \"$@\""), "sh"])
        .arg(env!("CARGO_BIN_EXE_gatehouse"))
        .args(SERVE)
        .current_dir(home.path(""));
    home.start(shell)
}

/// The soft and the hard limit of open files of a process.
fn limits(process_id: u32) -> (String, String) {
    let all = fs::read_to_string(format!("/proc/{process_id}/limits")).expect("reads");
    let line = all.lines().find(|line| line.starts_with("Max open files"));
    let mut words = line.expect("a limit").split_whitespace().skip(3);
    let mut word = || words.next().expect("a number").to_owned();
    (word(), word())
}

#[test]
fn the_portal_takes_all_the_open_files_that_the_system_lets_it_have() {
    let home = Home::new();
    let portal = serve_with(&home, "ulimit -Sn 200 && ulimit -Hn 1000");
    let (soft, hard) = limits(portal.process_id());
    assert_eq!((soft.as_str(), hard.as_str()), ("1000", "1000"));
    let (status, _, log) = portal.terminate();
    assert!(status.success());
    assert!(
        log.contains("open_files=1000") && log.contains("connections=468"),
        "{log}"
    );
}

#[test]
fn more_connections_than_files_leave_the_portal_able_to_answer() {
    let home = Home::new();
    let portal = serve_with(&home, "ulimit -n 100");
    let connect = || TcpStream::connect(&portal.address).expect("connects");
    // Only 18 of these have a place; the others wait in the kernel's queue.
    let mut crowd: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
    for guest in &mut crowd[..18] {
        guest
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("sends");
        let mut answer = String::new();
        guest.read_to_string(&mut answer).expect("answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(crowd);
    assert!(portal.ask("GET /readyz HTTP/1.1", "").contains("200 OK"));
    let (status, _, log) = portal.terminate();
    assert!(status.success());
    assert!(!log.contains("cannot accept"), "{log}");
}
