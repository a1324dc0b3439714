//! What the owner of a co-signer does on the command line when something is out of the ordinary.

use crate::harness::{PROJECT, Sender};
use crate::program::{Place, ask};

#[test]
fn a_counter_that_nobody_published_is_approved_or_forgotten() {
    let (place, sender) = (Place::make(), Sender::new(7));
    place.trust(&sender, &[]);
    let service = place.start(&[]);
    let project = PROJECT.to_string();
    assert!(
        place
            .fail(&["forget", &project])
            .contains("Nothing is remembered")
    );
    let ask = |counter| ask(service.address, &sender, counter).expect("answers");
    assert_eq!(ask(7).status, 200);
    let leap = ask(u64::MAX);
    let problem = leap.json();
    assert_eq!(
        (leap.status, &problem["code"]),
        (403, &"counter_leaps".into())
    );
    assert_eq!(problem["highest"], 7);

    let password = place.file("password", "a horse that reads slowly\n");
    place.run(&["approver", "add", "grace", "--password-file", &password]);
    let counter = u64::MAX.to_string();
    let approve = ["approve", &project, &counter, "--as", "grace"];
    place.run(&[&approve[..], &["--password-file", &password]].concat());
    assert_eq!(ask(u64::MAX).status, 200);
    assert_eq!(ask(8).json()["code"], "counter_fell");

    let said = place.run(&["forget", &project]);
    assert!(said.contains(&counter), "{said}");
    assert_eq!(ask(8).status, 200);
    let last = place.run(&["audit", "--last", "2"]);
    assert!(last.contains(r#""event":"forgot""#), "{last}");
}

#[test]
fn plain_messages_and_approval_are_not_trusted_together() {
    let (place, sender) = (Place::make(), Sender::new(7));
    let key = place.file("identity.pem", &sender.key.public_key().to_pem());
    let trust = ["trust", "workshop", "--key", &key, "--approval"];
    let complaint = place.fail(&[&trust[..], &["--plain-messages"]].concat());
    assert!(complaint.contains("--plain-messages"), "{complaint}");
    assert!(place.run(&["portals"]).contains("No portal is trusted"));
}
