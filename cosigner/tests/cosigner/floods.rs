//! What somebody gets who asks again and again: neither our disk nor our record.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gatehouse_cosigner::{Projects, Refused};
use uuid::Uuid;

use crate::harness::{Home, NOW_S, OTHER_PROJECT, PROJECT, Sender, claims, code};

const PATIENCE: Duration = Duration::from_secs(30);
/// As long as a log may be.
const FULL_BYTES: usize = 8 * 1024 * 1024;
/// As many as the co-signer remembers.
const MAX_PROJECTS: u128 = 20_000;

fn fill(home: &Home, name: &str) {
    let mut log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(home.path().join(name))
        .expect("opens");
    let mut filler = vec![b' '; FULL_BYTES];
    *filler.last_mut().expect("not empty") = b'\n';
    log.write_all(&filler).expect("fills it");
}

#[test]
fn a_full_log_holds_up_nobody_who_writes_alone_with_the_folder() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    fill(&home, "audit.log");
    fill(&home, "requests.log");
    let (done, answered) = mpsc::channel();
    let cosigner = home.another();
    thread::spawn(move || {
        let answer = code(&sender.ask(&cosigner, &claims(1)));
        done.send(answer).expect("somebody waits");
    });
    assert_eq!(answered.recv_timeout(PATIENCE), Ok("signed"));
    let last = home.cosigner.audit_lines(1).expect("reads").concat();
    assert!(last.contains("released"), "{last}");
    for old in ["audit.1.log", "requests.1.log"] {
        assert!(home.path().join(old).exists(), "{old}");
    }
}

#[test]
fn a_portal_that_is_refused_writes_one_line_whatever_it_names() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| {
        portal.projects = Projects::These([PROJECT].into());
    });
    sender.ask(&home.cosigner, &claims(1)).expect("signs");
    let body = sender.signed(&claims(1));
    let flood = |bearer_s: i64| {
        for project in 0..50 {
            let (bearer, now_ms) = (sender.bearer(bearer_s), NOW_S * 1000);
            let project = Uuid::from_u128(project);
            let answer = home
                .cosigner
                .cosign(project, &sender.server_id, &bearer, &body, now_ms);
            assert!(answer.is_err(), "{project}");
        }
    };
    flood(NOW_S);
    home.trust(&sender, |_| ());
    flood(NOW_S - 1000);
    let record = home.cosigner.audit_lines(100).expect("reads");
    let id = sender.server_id.parse().expect("an id");
    home.cosigner.revoke(id, NOW_S * 1000).expect("revokes");
    flood(NOW_S);
    let revoked_at_home = sender.ask(&home.cosigner, &claims(1));
    assert_eq!(code(&revoked_at_home), "revoked");

    let requests = home.cosigner.request_lines(1000).expect("reads");
    let refusals: Vec<&String> = requests
        .iter()
        .filter(|line| line.contains("refused"))
        .collect();
    assert_eq!(refusals.len(), 3, "{refusals:?}");
    let kinds = ["wrong_project", "clock_differs", "revoked"];
    for (kind, line) in kinds.iter().zip(&refusals) {
        assert!(line.contains(kind), "{line}");
        assert!(!line.contains("project_id"), "{line}");
        assert!(line.contains(&sender.server_id), "{line}");
    }
    let after = home.cosigner.audit_lines(100).expect("reads");
    assert_eq!(after[..record.len()], record, "the record is as it was");
    assert_eq!(after.len(), record.len() + 1, "{after:?}");
}

#[test]
fn a_refusal_names_a_project_that_is_known_and_the_portals_own() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    sender.ask(&home.cosigner, &claims(5)).expect("signs");
    let fell = sender.ask(&home.cosigner, &claims(4));
    assert_eq!(fell, Err(Refused::CounterFell { highest: 5 }));
    let last = home.cosigner.request_lines(1).expect("reads").concat();
    assert!(last.contains(&PROJECT.to_string()), "{last}");
}

#[test]
fn what_waits_counts_against_the_rate_like_what_is_signed() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| {
        portal.needs_approval = true;
        portal.per_hour = Some(3);
    });
    let codes: Vec<&str> = (1..=4)
        .map(|counter| code(&sender.ask(&home.cosigner, &claims(counter))))
        .collect();
    let waits = "awaits_approval";
    assert_eq!(codes, [waits, waits, waits, "too_many"]);
    assert_eq!(home.cosigner.pending().expect("reads").len(), 3);
}

#[test]
fn a_portal_makes_only_so_many_projects() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    sender.ask(&home.cosigner, &claims(1)).expect("signs");
    for id in 1..MAX_PROJECTS {
        let path = format!("projects/{}.json", Uuid::from_u128(id));
        fs::write(home.path().join(path), "").expect("writes");
    }
    let ask_elsewhere = || {
        let (bearer, body) = (sender.bearer(NOW_S), sender.signed(&claims(1)));
        home.cosigner.cosign(
            OTHER_PROJECT,
            &sender.server_id,
            &bearer,
            &body,
            NOW_S * 1000,
        )
    };
    assert_eq!(ask_elsewhere(), Err(Refused::TooManyProjects));
    home.trust(&sender, |portal| portal.needs_approval = true);
    assert_eq!(ask_elsewhere(), Err(Refused::TooManyProjects));
    let file = home.path().join(format!("projects/{OTHER_PROJECT}.json"));
    assert!(!file.exists(), "nothing is written");
    home.trust(&sender, |_| ());
    assert_eq!(code(&sender.ask(&home.cosigner, &claims(2))), "signed");
}
