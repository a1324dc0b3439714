//! Which releases get a signature, and when a second person is asked.

use gatehouse_cosigner::Refused;
use gatehouse_manifest::Claims;

use crate::harness::{Home, NOW_S, OTHER_SHA256, PROJECT, Sender, claims, code};

const PASSWORD: &str = "a horse that reads slowly";

#[test]
fn a_counter_never_falls_and_stands_for_one_image() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    let ask = |claims: &Claims| sender.ask(&home.cosigner, claims);
    assert_eq!(code(&ask(&claims(5))), "signed");
    assert_eq!(
        code(&ask(&claims(5))),
        "signed",
        "every device gets its own"
    );
    assert_eq!(ask(&claims(4)), Err(Refused::CounterFell { highest: 5 }));
    let swapped = Claims {
        sha256: OTHER_SHA256.into(),
        ..claims(5)
    };
    assert_eq!(ask(&swapped), Err(Refused::OtherImage));
    assert_eq!(code(&ask(&claims(6))), "signed");
    assert_eq!(ask(&claims(5)), Err(Refused::CounterFell { highest: 6 }));
    let restarted = sender.ask(&home.another(), &claims(5));
    assert_eq!(restarted, Err(Refused::CounterFell { highest: 6 }));
}

#[test]
fn older_releases_stay_signable_where_the_owner_said_so() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| portal.older_releases = true);
    for counter in [5, 6, 5] {
        assert_eq!(
            code(&sender.ask(&home.cosigner, &claims(counter))),
            "signed"
        );
    }
    let never_signed = sender.ask(&home.cosigner, &claims(4));
    assert_eq!(never_signed, Err(Refused::CounterFell { highest: 6 }));
}

#[test]
fn a_second_person_approves_what_the_first_one_published() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| portal.needs_approval = true);
    let desk = home.another();
    desk.add_approver("grace", PASSWORD, NOW_S * 1000)
        .expect("adds");
    let ask = |claims: &Claims| sender.ask(&home.cosigner, claims);
    assert_eq!(ask(&claims(1)), Err(Refused::AwaitsApproval));
    let swapped = Claims {
        sha256: OTHER_SHA256.into(),
        ..claims(1)
    };
    assert_eq!(
        ask(&swapped),
        Err(Refused::OtherImage),
        "nothing is swapped while it waits"
    );

    let waiting = desk.pending().expect("reads");
    let [(project, counter, wish)] = waiting.as_slice() else {
        panic!("{waiting:?}");
    };
    assert_eq!((*project, *counter), (PROJECT, 1));
    assert_eq!(wish.release.version, "1.0.1");
    assert_eq!(wish.server_id.to_string(), sender.server_id);

    let approve = |name, password| desk.approve(PROJECT, 1, name, password, NOW_S * 1000);
    for (name, password) in [("grace", "a horse that reads fast"), ("eve", PASSWORD)] {
        let words = approve(name, password).expect_err("refuses");
        assert!(words.contains("not the password"), "{words}");
    }
    assert_eq!(ask(&claims(1)), Err(Refused::AwaitsApproval));
    let approved = approve("grace", PASSWORD).expect("approves");
    assert_eq!(approved, wish.release);
    assert!(
        approve("grace", PASSWORD)
            .expect_err("once")
            .contains("No release")
    );
    assert_eq!(code(&ask(&claims(1))), "signed");
    assert_eq!(
        code(&ask(&claims(1))),
        "signed",
        "once approved, for every device"
    );
    assert_eq!(
        ask(&claims(2)),
        Err(Refused::AwaitsApproval),
        "for this release only"
    );

    let bolder = Claims {
        allow_downgrade: true,
        ..claims(1)
    };
    assert_eq!(
        ask(&bolder),
        Err(Refused::AwaitsApproval),
        "and for its terms"
    );
    approve("grace", PASSWORD).expect("approves the terms");
    assert_eq!(code(&ask(&bolder)), "signed");
    let last = desk.audit_lines(1).expect("reads").concat();
    assert!(last.contains(r#""event":"changed""#), "{last}");
    assert!(last.contains("allow_downgrade true"), "{last}");
}

#[test]
fn what_was_rejected_leaves_its_counter_to_another() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| portal.needs_approval = true);
    let swapped = Claims {
        sha256: OTHER_SHA256.into(),
        ..claims(1)
    };
    assert_eq!(
        code(&sender.ask(&home.cosigner, &swapped)),
        "awaits_approval"
    );
    let rejected = home.cosigner.reject(PROJECT, 1, NOW_S * 1000);
    assert_eq!(rejected.expect("forgets it").sha256, OTHER_SHA256);
    assert!(home.cosigner.reject(PROJECT, 1, NOW_S * 1000).is_err());
    assert_eq!(
        code(&sender.ask(&home.cosigner, &claims(1))),
        "awaits_approval"
    );
}

#[test]
fn an_approver_has_a_name_and_a_password_worth_the_name() {
    let home = Home::make();
    let long = "x".repeat(1025);
    for (name, password) in [
        ("", PASSWORD),
        (" ", PASSWORD),
        ("grace", "short"),
        ("grace", &long),
    ] {
        assert!(
            home.cosigner.add_approver(name, password, 0).is_err(),
            "{name:?}"
        );
    }
    home.cosigner
        .add_approver("grace", PASSWORD, 0)
        .expect("adds");
    let stored = std::fs::read_to_string(home.path().join("approvers.json")).expect("reads");
    assert!(stored.contains("$argon2id$"), "{stored}");
    assert!(!stored.contains(PASSWORD), "{stored}");
}

#[test]
fn the_record_tells_who_did_what() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| portal.needs_approval = true);
    home.cosigner
        .add_approver("grace", PASSWORD, NOW_S * 1000)
        .expect("adds");
    let _ = sender.ask(&home.cosigner, &claims(1));
    home.cosigner
        .approve(PROJECT, 1, "grace", PASSWORD, NOW_S * 1000)
        .expect("approves");
    for _ in 0..5 {
        sender.ask(&home.cosigner, &claims(1)).expect("signs");
    }
    let id = sender.server_id.parse().expect("an id");
    home.cosigner.revoke(id, NOW_S * 1000).expect("revokes");
    home.cosigner
        .rotate(PROJECT, NOW_S * 1000)
        .expect("rotates");
    home.cosigner
        .retire(PROJECT, NOW_S * 1000)
        .expect("retires");
    home.cosigner.close(NOW_S * 1000).expect("writes");
    let cosigner = &home.cosigner;
    let lines = [cosigner.audit_lines(100), cosigner.request_lines(100)];
    let lines = lines.map(|log| log.expect("reads")).concat();
    let events: Vec<String> = lines
        .iter()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect(line);
            assert_eq!(line["at"], "2027-01-15T08:00:00Z");
            match line["times"].as_u64() {
                Some(times) => format!("{} {times}", line["event"].as_str().expect("text")),
                None => line["event"].as_str().expect("text").to_owned(),
            }
        })
        .collect();
    let expected = [
        "trusted",
        "approver_added",
        "asked",
        "approved",
        "released",
        "revoked",
        "rotated",
        "retired",
        // The log of requests.
        "refused",
        "signed",
        "signed 4",
    ];
    assert_eq!(events, expected);
}
