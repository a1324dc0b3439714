//! What a message has to be like.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_cosigner::{Portal, Projects, Refused, Star};
use gatehouse_manifest::{Claims, Manifest, Refusal, SigningKey, jti};
use serde_json::{Value, json};

use crate::harness::{Home, NOW_S, PROJECT, Sender, claims, code};

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn der_of(raw: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let mut value = half.to_vec();
        if value[0] >= 0x80 {
            value.insert(0, 0);
        }
        let len = u8::try_from(value.len()).expect("short");
        [vec![2, len], value].concat()
    };
    let both = [integer(&raw[..32]), integer(&raw[32..])].concat();
    let len = u8::try_from(both.len()).expect("short");
    [vec![0x30, len], both].concat()
}

#[test]
fn a_message_is_taken_in_one_form_only() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    let good: Value = serde_json::from_str(&sender.signed(&claims(1))).expect("JSON");
    let id = &sender.server_id;
    let with = |member: &str, value: &Value| {
        let mut changed = good.clone();
        changed["signatures"][0][member] = value.clone();
        changed.to_string()
    };
    let header = |typ: &str, alg: &str, kid: &str| {
        let header = json!({"typ": typ, "alg": alg, "kid": kid});
        with("protected", &encoded(&header).into())
    };
    let raw = good["signatures"][0]["signature"].as_str().expect("text");
    let raw = URL_SAFE_NO_PAD.decode(raw).expect("base64url");
    let der = URL_SAFE_NO_PAD.encode(der_of(&raw));
    let mut bent = raw.clone();
    bent[9] ^= 1;
    let mut other_payload = good.clone();
    other_payload["payload"] = encoded(&serde_json::to_value(claims(2)).expect("JSON")).into();
    let mut unsigned = good.clone();
    unsigned["signatures"] = json!([]);
    let cases = [
        (good.to_string(), "signed"),
        (with("signature", &der.into()), "bad_signature"),
        (
            with("signature", &URL_SAFE_NO_PAD.encode(bent).into()),
            "bad_signature",
        ),
        (other_payload.to_string(), "bad_signature"),
        (
            header("JOSE+JSON", "ES256", "somebody"),
            "signature_missing",
        ),
        (header("JOSE+JSON", "none", id), "unsupported_algorithm"),
        (header("JOSE+JSON", "HS256", id), "unsupported_algorithm"),
        (header("JOSE+JSON", "EdDSA", id), "wrong_key_type"),
        (header("else", "ES256", id), "wrong_type"),
        (unsigned.to_string(), "signature_missing"),
        ("{}".into(), "malformed"),
        (String::new(), "malformed"),
        (sender.bearer(NOW_S), "malformed"),
    ];
    for (body, expected) in cases {
        let answer = sender.send(&home.cosigner, &body, NOW_S);
        assert_eq!(code(&answer), expected, "{body}");
    }
}

#[test]
fn a_message_has_at_most_16_kib() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    let body_of = |spaces: usize| sender.signed(&claims(1)) + &" ".repeat(spaces);
    let room = 16 * 1024 - body_of(0).len();
    let answer = sender.send(&home.cosigner, &body_of(room), NOW_S);
    assert_eq!(code(&answer), "signed");
    let answer = sender.send(&home.cosigner, &body_of(room + 1), NOW_S);
    assert_eq!(answer, Err(Refused::TooLong));
}

#[test]
fn our_own_signature_is_never_brought_along() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    let mut manifest = Manifest::sign(&claims(1), &sender.server_id, &sender.key);
    manifest.add_signature(&format!("project/{PROJECT}"), &sender.key);
    let answer = sender.send(&home.cosigner, &manifest.to_string(), NOW_S);
    let doubled = Refused::BadManifest(Refusal::SignatureDoubled);
    assert_eq!(answer, Err(doubled));
}

#[test]
fn a_manifest_is_signed_for_its_own_hour_only() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    for (nbf_s, exp_s, expected) in [
        (-900, -3, "signed"),
        (-900, -4, "expired"),
        (120, 900, "signed"),
        (121, 900, "not_yet_valid"),
        (0, 3600, "signed"),
        (0, 3721, "lifetime_too_long"),
        (i64::MIN, i64::MAX, "lifetime_too_long"),
    ] {
        let dated = Claims {
            nbf: NOW_S.saturating_add(nbf_s),
            exp: NOW_S.saturating_add(exp_s),
            ..claims(1)
        };
        let answer = sender.ask(&home.cosigner, &dated);
        assert_eq!(code(&answer), expected, "{nbf_s} {exp_s}");
    }
}

#[test]
fn other_messages_are_signed_where_the_owner_said_so() {
    let (home, sender) = (Home::make(), Sender::new(7));
    let exp = NOW_S + 600;
    let greeting = json!({
        "iss": sender.server_id, "jti": jti(exp, *b"abcdef"), "nbf": NOW_S, "exp": exp,
        "message": "good morning",
    });
    let send = |payload: &Value| {
        let body = Manifest::sign(payload, &sender.server_id, &sender.key).to_string();
        sender.send(&home.cosigner, &body, NOW_S)
    };
    home.trust(&sender, |_| ());
    assert_eq!(send(&greeting), Err(Refused::NoManifest));
    home.trust(&sender, |portal| portal.plain_messages = true);
    assert_eq!(code(&send(&greeting)), "signed");
    let mut old = greeting.clone();
    old["exp"] = (NOW_S - 60).into();
    assert_eq!(code(&send(&old)), "expired");

    // What a device might still read as a manifest has to keep the rules of one.
    let mut nearly = serde_json::to_value(claims(1)).expect("JSON");
    nearly["size_bytes"] = "4".into();
    let no_manifest = Refused::BadManifest(Refusal::NoManifest);
    assert_eq!(send(&nearly), Err(no_manifest.clone()));
    nearly["release_counter"] = (-1).into();
    assert_eq!(send(&nearly), Err(no_manifest));
}

#[test]
fn plain_messages_never_go_past_a_second_person() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| portal.plain_messages = true);
    let path = home
        .path()
        .join(format!("portals/{}.json", sender.server_id));
    let text = std::fs::read_to_string(&path).expect("reads");
    let both = text.replace(r#""needs_approval":false"#, r#""needs_approval":true"#);
    assert_ne!(both, text);
    // By hand, since `trust` does not write the two together.
    std::fs::write(&path, &both).expect("writes");
    let greeting = json!({"message": "good morning"});
    let body = Manifest::sign(&greeting, &sender.server_id, &sender.key).to_string();
    let answer = sender.send(&home.another(), &body, NOW_S);
    assert_eq!(answer, Err(Refused::NoManifest));
    let portal: Portal = serde_json::from_str(&both).expect("a portal");
    let words = home.cosigner.trust(&portal).expect_err("refuses");
    assert!(words.contains("approval"), "{words}");
}

#[test]
fn a_release_is_of_a_form_that_can_be_compared_by_eye() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    let good = Claims {
        project: "p".repeat(100),
        version: "v".repeat(100),
        min_version: Some("m".repeat(100)),
        hardware: vec!["h".repeat(64); 16],
        ..claims(1)
    };
    let wrong = [
        Claims {
            sha256: "A".repeat(64),
            ..good.clone()
        },
        Claims {
            sha256: "a".repeat(63),
            ..good.clone()
        },
        Claims {
            project: "p".repeat(101),
            ..good.clone()
        },
        Claims {
            version: "v".repeat(101),
            ..good.clone()
        },
        Claims {
            min_version: Some("m".repeat(101)),
            ..good.clone()
        },
        Claims {
            hardware: vec!["h".into(); 17],
            ..good.clone()
        },
        Claims {
            hardware: vec!["h".repeat(65)],
            ..good.clone()
        },
    ];
    for claims in &wrong {
        let answer = sender.ask(&home.cosigner, claims);
        assert_eq!(code(&answer), "bad_release", "{claims:?}");
    }
    assert_eq!(code(&sender.ask(&home.cosigner, &good)), "signed");
}

#[test]
fn only_a_p256_key_is_a_portals_identity() {
    let home = Home::make();
    let private = Sender::new(7).key;
    let ed25519 = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";
    for key_pem in ["", "no key", ed25519, SigningKey::to_pem(&private).as_str()] {
        let portal = Portal {
            name: "workshop".into(),
            key_pem: key_pem.into(),
            projects: Projects::Any(Star::Star),
            hours: None,
            per_hour: None,
            needs_approval: false,
            older_releases: false,
            plain_messages: false,
            trusted_at_ms: 0,
            revoked_at_ms: None,
        };
        assert!(home.cosigner.trust(&portal).is_err(), "{key_pem}");
    }
    assert!(home.cosigner.portals().expect("reads").is_empty());
}
