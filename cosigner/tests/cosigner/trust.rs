//! Who gets a signature at all.

use gatehouse_cosigner::{Projects, Refused};
use gatehouse_manifest::{
    Algorithm, DeviceState, Manifest, SigningKey, Trusted, bearer, jti, verify,
};

use crate::harness::{Home, NOW_S, OTHER_PROJECT, PROJECT, Sender, claims, code};

#[test]
fn what_a_trusted_portal_signed_passes_on_a_device_with_our_signature() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    let sent = claims(1);
    let mut manifest = sender.ask(&home.cosigner, &sent).expect("signs");
    let kid = format!("project/{PROJECT}");
    let signers: Vec<&str> = manifest.signers().collect();
    assert_eq!(signers, [sender.server_id.as_str(), kid.as_str()]);

    // The portal takes its own signature off and puts the project's on, like the original's client.
    let project_key = SigningKey::from_bytes(Algorithm::Es256, &[9; 32]).expect("a scalar");
    manifest.remove_signature(&sender.server_id);
    manifest.add_signature(&PROJECT.to_string(), &project_key);
    let trusted = Trusted {
        project_id: PROJECT.to_string(),
        project_keys: vec![project_key.public_key()],
        cosigner_keys: vec![home.cosigner.keys(PROJECT).expect("a key").current],
    };
    let device = DeviceState {
        now_s: NOW_S,
        project: "lamp",
        hardware: Some("lamp-2"),
        version: None,
        release_counter: 0,
        has_seen: &|_| false,
    };
    assert_eq!(verify(&manifest.to_string(), &trusted, &device), Ok(sent));
}

#[test]
fn strangers_forgers_and_the_revoked_are_refused() {
    let (home, sender) = (Home::make(), Sender::new(7));
    let ask = || sender.ask(&home.cosigner, &claims(1));
    assert_eq!(ask(), Err(Refused::UnknownPortal));
    home.trust(&sender, |_| ());
    assert_eq!(code(&ask()), "signed");

    let forger = Sender {
        server_id: sender.server_id.clone(),
        ..Sender::new(8)
    };
    let forged = forger.ask(&home.cosigner, &claims(1));
    assert_eq!(forged, Err(Refused::WrongKey));

    let id = sender.server_id.parse().expect("an id");
    let since_ms = NOW_S * 1000 + 5;
    assert_eq!(
        home.cosigner.revoke(id, since_ms).as_deref(),
        Ok("workshop")
    );
    assert_eq!(ask(), Err(Refused::Revoked { since_ms }));
    home.cosigner.revoke(id, since_ms + 9).expect("again");
    assert_eq!(
        ask(),
        Err(Refused::Revoked { since_ms }),
        "the first moment stays"
    );
    home.trust(&sender, |_| ());
    assert_eq!(code(&ask()), "signed", "trusted anew");

    let never = Sender::new(9).server_id.parse().expect("an id");
    assert_eq!(home.cosigner.revoke(never, 0), Err(Refused::UnknownPortal));
}

#[test]
fn a_running_cosigner_sees_a_change_of_trust_at_the_next_request() {
    let (home, sender) = (Home::make(), Sender::new(7));
    let running = home.another();
    let ask = || sender.ask(&running, &claims(1));
    assert_eq!(ask(), Err(Refused::UnknownPortal));
    for _ in 0..20 {
        home.trust(&sender, |_| ());
        assert_eq!(code(&ask()), "signed");
        let id = sender.server_id.parse().expect("an id");
        home.cosigner.revoke(id, 0).expect("revokes");
        assert_eq!(code(&ask()), "revoked");
    }
}

#[test]
fn a_portal_gets_its_own_projects_only() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| {
        portal.projects = Projects::These([OTHER_PROJECT].into());
    });
    let ask = || sender.ask(&home.cosigner, &claims(1));
    assert_eq!(ask(), Err(Refused::WrongProject));
    let keys = |project| {
        let bearer = sender.bearer(NOW_S);
        home.cosigner.keys_for(project, &bearer, NOW_S * 1000)
    };
    assert_eq!(keys(PROJECT), Err(Refused::WrongProject));
    assert_eq!(keys(OTHER_PROJECT), home.cosigner.keys(OTHER_PROJECT));
    let no_key = home.path().join(format!("keys/{PROJECT}.pem"));
    assert!(!no_key.exists(), "a refusal makes no key");
    home.trust(&sender, |portal| {
        portal.projects = Projects::These([OTHER_PROJECT, PROJECT].into());
    });
    assert_eq!(code(&ask()), "signed");
}

#[test]
fn hours_are_kept_in_utc() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| {
        portal.hours = Some("08:00-09:00".parse().expect("hours"));
    });
    let ask_at = |now_s| {
        let claims = crate::harness::claims_at(1, now_s);
        sender.ask_at(&home.cosigner, &claims, now_s)
    };
    assert_eq!(ask_at(NOW_S - 1), Err(Refused::OutsideHours));
    assert_eq!(code(&ask_at(NOW_S)), "signed");
    assert_eq!(code(&ask_at(NOW_S + 3599)), "signed");
    assert_eq!(ask_at(NOW_S + 3600), Err(Refused::OutsideHours));
}

#[test]
fn a_portal_has_so_many_signatures_an_hour_also_over_a_restart() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| portal.per_hour = Some(3));
    for _ in 0..3 {
        assert_eq!(code(&sender.ask(&home.cosigner, &claims(1))), "signed");
    }
    let retry_after_s = 3600;
    let full = Err(Refused::TooMany { retry_after_s });
    assert_eq!(sender.ask(&home.cosigner, &claims(1)), full);
    assert_eq!(sender.ask(&home.another(), &claims(1)), full);
    // A new release is not noted either.
    assert_eq!(sender.ask(&home.cosigner, &claims(2)), full);
    let later_s = NOW_S + 3600;
    let claims = crate::harness::claims_at(1, later_s);
    assert_eq!(
        code(&sender.ask_at(&home.cosigner, &claims, later_s)),
        "signed"
    );
}

#[test]
fn a_bearer_is_for_one_request_of_one_portal() {
    let (home, sender, other) = (Home::make(), Sender::new(7), Sender::new(8));
    home.trust(&sender, |_| ());
    home.trust(&other, |_| ());
    let body = sender.signed(&claims(1));
    let ask = |server_id: &str, bearer: &str| {
        home.cosigner
            .cosign(PROJECT, server_id, bearer, &body, NOW_S * 1000)
    };
    let bearer = sender.bearer(NOW_S);
    assert_eq!(code(&ask(&sender.server_id, &bearer)), "signed");
    assert_eq!(
        ask(&sender.server_id, &bearer),
        Err(Refused::BadBearer),
        "used"
    );
    let others = other.bearer(NOW_S);
    assert_eq!(ask(&sender.server_id, &others), Err(Refused::BadBearer));
    let foreign_body = code(&ask(&other.server_id, &other.bearer(NOW_S)));
    assert_eq!(foreign_body, "signature_missing");

    let jti_of_before = jti(NOW_S - 4, *b"abcdef");
    let over = bearer::sign(
        &sender.server_id,
        &sender.key,
        &jti_of_before,
        NOW_S - 60,
        NOW_S - 4,
    );
    assert_eq!(ask(&sender.server_id, &over), Err(Refused::BadBearer));
    let id_too_long = "00000000-0000-0000-0000-000000000000/../x";
    let climbing = bearer::sign(
        id_too_long,
        &sender.key,
        &jti_of_before,
        NOW_S - 60,
        NOW_S - 4,
    );
    assert_eq!(ask(id_too_long, &climbing), Err(Refused::UnknownPortal));
    for broken in ["", "x", "a.b.c"] {
        assert_eq!(
            ask(&sender.server_id, broken),
            Err(Refused::BadBearer),
            "{broken}"
        );
    }
}

#[test]
fn clocks_may_differ_by_two_minutes_and_more_is_said_in_seconds() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    let ask = |off_by_s: i64| {
        let bearer = sender.bearer(NOW_S + off_by_s);
        let body = sender.signed(&crate::harness::claims_at(1, NOW_S + off_by_s));
        home.cosigner
            .cosign(PROJECT, &sender.server_id, &bearer, &body, NOW_S * 1000)
    };
    for off_by_s in [-120, 0, 120] {
        assert_eq!(code(&ask(off_by_s)), "signed", "{off_by_s}");
    }
    for (off_by_s, words) in [
        (-121, "121 s behind the co-signer's"),
        (4000, "4000 s ahead of the co-signer's"),
    ] {
        let refused = ask(off_by_s).expect_err("refuses");
        assert_eq!(refused, Refused::Clock { off_by_s });
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let standing = home.cosigner.standing(&sender.bearer(NOW_S + 4000));
    assert_eq!(standing.expect("answers").name, "workshop");
}

#[test]
fn in_process_no_portal_has_to_prove_itself_and_the_counter_holds_all_the_same() {
    let home = Home::make();
    let own = SigningKey::from_bytes(Algorithm::Es256, &[9; 32]).expect("a scalar");
    let ask = |counter| {
        let manifest = Manifest::sign(&claims(counter), &PROJECT.to_string(), &own);
        home.cosigner.cosign_own(PROJECT, manifest, NOW_S * 1000)
    };
    assert_eq!(code(&ask(3)), "signed");
    assert_eq!(code(&ask(5)), "signed");
    assert_eq!(code(&ask(3)), "signed", "signed before");
    assert_eq!(ask(4), Err(Refused::CounterFell { highest: 5 }));
}
