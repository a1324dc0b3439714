use uuid::Uuid;

use super::{MAX_SIGNED, MAX_TERMS, MAX_WISHES, Project, Release, Verdict, Wish};
use crate::Refused;
use crate::portal::{Portal, Projects, Star};

fn portal() -> Portal {
    Portal {
        name: "portal".into(),
        key_pem: String::new(),
        projects: Projects::Any(Star::Star),
        hours: None,
        per_hour: None,
        needs_approval: false,
        older_releases: false,
        plain_messages: false,
        trusted_at_ms: 0,
        revoked_at_ms: None,
    }
}

fn careful() -> Portal {
    Portal {
        needs_approval: true,
        ..portal()
    }
}

fn release(version: &str) -> Release {
    Release {
        project: "lamp".into(),
        version: version.into(),
        sha256: "ab".repeat(32),
        size_bytes: 7,
        checksum: 1,
        hardware: vec![],
        min_version: None,
        allow_downgrade: false,
    }
}

fn wish(release: Release) -> Wish {
    Wish {
        release,
        server_id: Uuid::nil(),
        since_ms: 0,
    }
}

#[test]
fn an_older_release_stays_signable_only_where_that_is_allowed() {
    let mut project = Project::default();
    project.note_signed(3, &release("3"));
    project.note_signed(5, &release("5"));
    let fell = Err(Refused::CounterFell { highest: 5 });
    assert_eq!(project.judge(3, &release("3"), &portal()), fell);
    let lenient = Portal {
        older_releases: true,
        ..portal()
    };
    let known = Ok(Verdict::Known);
    assert_eq!(project.judge(3, &release("3"), &lenient), known);
    assert_eq!(project.judge(5, &release("5"), &portal()), known);
    // One that was never signed stays below.
    assert_eq!(project.judge(4, &release("4"), &lenient), fell);
    assert_eq!(project.judge(6, &release("6"), &portal()), Ok(Verdict::New));
}

#[test]
fn a_counter_stands_for_one_image() {
    let mut project = Project::default();
    project.note_signed(3, &release("3"));
    let others = [
        Release {
            sha256: "cd".repeat(32),
            ..release("3")
        },
        Release {
            size_bytes: 8,
            ..release("3")
        },
        Release {
            checksum: 2,
            ..release("3")
        },
        release("4"),
    ];
    for other in others {
        let answer = project.judge(3, &other, &portal());
        assert_eq!(answer, Err(Refused::OtherImage), "{other:?}");
    }
}

#[test]
fn a_counter_leaps_no_further_than_a_thousand_unless_somebody_approved_it() {
    let mut project = Project::default();
    project.note_signed(3, &release("3"));
    let judge = |project: &Project, counter| project.judge(counter, &release("9"), &portal());
    assert_eq!(judge(&project, 1003), Ok(Verdict::New));
    for counter in [1004, u64::MAX] {
        assert_eq!(judge(&project, counter), Ok(Verdict::Wish), "{counter}");
    }
    project.wishes.insert(1004, wish(release("9")));
    let leaps = Err(Refused::CounterLeaps { highest: 3 });
    assert_eq!(judge(&project, 1004), leaps);
    project.approve(1004, "Grace", 5).expect("waits");
    assert_eq!(judge(&project, 1004), Ok(Verdict::New));
    assert_eq!(
        judge(&project, u64::MAX),
        Ok(Verdict::Wish),
        "this one only"
    );
}

#[test]
fn a_release_reaches_more_devices_only_while_it_is_the_newest_and_never_unnoticed() {
    let narrow = Release {
        hardware: vec!["a".into(), "b".into()],
        min_version: Some("1".into()),
        ..release("3")
    };
    let wider = [
        Release {
            allow_downgrade: true,
            ..narrow.clone()
        },
        Release {
            hardware: vec![],
            ..narrow.clone()
        },
        Release {
            hardware: vec!["a".into(), "c".into()],
            ..narrow.clone()
        },
        Release {
            min_version: None,
            ..narrow.clone()
        },
        Release {
            min_version: Some("0".into()),
            ..narrow.clone()
        },
        Release {
            project: "lamps".into(),
            ..narrow.clone()
        },
    ];
    let narrower = Release {
        hardware: vec!["b".into()],
        ..narrow.clone()
    };
    let lenient = Portal {
        older_releases: true,
        ..portal()
    };
    for wide in wider {
        let mut project = Project::default();
        project.note_signed(3, &narrow);
        assert_eq!(project.judge(3, &narrower, &portal()), Ok(Verdict::Known));
        let judge = |project: &Project, portal: &Portal| project.judge(3, &wide, portal);
        assert_eq!(judge(&project, &portal()), Ok(Verdict::Changed), "{wide:?}");
        assert_eq!(judge(&project, &careful()), Ok(Verdict::Wish), "{wide:?}");
        let mut moved_on = project.clone();
        moved_on.note_signed(4, &release("4"));
        let refused = judge(&moved_on, &lenient);
        assert_eq!(refused, Err(Refused::OtherRules), "{wide:?}");

        project.note_signed(3, &wide);
        project.note_signed(4, &release("4"));
        for known in [&wide, &narrow] {
            let answer = project.judge(3, known, &lenient);
            assert_eq!(answer, Ok(Verdict::Known), "{known:?}");
        }
    }
}

#[test]
fn the_terms_of_one_counter_are_bounded() {
    let mut project = Project::default();
    let of = |chip: usize| Release {
        hardware: vec![chip.to_string()],
        ..release("3")
    };
    for chip in 0..MAX_TERMS {
        assert!(project.judge(3, &of(chip), &portal()).is_ok());
        project.note_signed(3, &of(chip));
    }
    let refused = project.judge(3, &of(MAX_TERMS), &portal());
    assert_eq!(refused, Err(Refused::OtherRules));
    project.note_signed(3, &release("3"));
    assert_eq!(project.signed[&3].terms.len(), 1, "any covers them all");
}

#[test]
fn an_approval_holds_for_what_was_approved_and_nothing_else() {
    let mut project = Project::default();
    assert_eq!(
        project.judge(1, &release("1"), &careful()),
        Ok(Verdict::Wish)
    );
    project.wishes.insert(1, wish(release("1")));
    let waits = Err(Refused::AwaitsApproval);
    assert_eq!(project.judge(1, &release("1"), &careful()), waits);
    let swapped = Release {
        sha256: "cd".repeat(32),
        ..release("1")
    };
    assert_eq!(
        project.judge(1, &swapped, &careful()),
        Err(Refused::OtherImage)
    );

    assert_eq!(project.approve(1, "Grace", 5), Some(release("1")));
    assert_eq!(project.approve(1, "Grace", 5), None, "once");
    assert_eq!(
        project.judge(1, &release("1"), &careful()),
        Ok(Verdict::New)
    );
    let bolder = Release {
        allow_downgrade: true,
        ..release("1")
    };
    assert_eq!(project.judge(1, &bolder, &careful()), Ok(Verdict::Wish));

    project.note_signed(1, &release("1"));
    assert_eq!(
        project.judge(1, &release("1"), &careful()),
        Ok(Verdict::Known)
    );
}

#[test]
fn wishes_and_memories_are_bounded() {
    let mut project = Project::default();
    for counter in 0..MAX_WISHES as u64 {
        project.wishes.insert(counter + 1, wish(release("1")));
    }
    let waits = Err(Refused::AwaitsApproval);
    assert_eq!(project.judge(99, &release("99"), &careful()), waits);
    for counter in 1..=MAX_SIGNED as u64 + 2 {
        project.note_signed(counter, &release("1"));
    }
    assert_eq!(project.signed.len(), MAX_SIGNED);
    let lenient = Portal {
        older_releases: true,
        ..portal()
    };
    let forgotten = project.judge(2, &release("1"), &lenient);
    assert!(
        matches!(forgotten, Err(Refused::CounterFell { .. })),
        "{forgotten:?}"
    );
    assert_eq!(
        project.judge(3, &release("1"), &lenient),
        Ok(Verdict::Known)
    );
}
