use super::{COMPACT_AFTER_LINES, SessionJournal};
use crate::clock::Clock;
use crate::table::{Session, Table};
use gatehouse_router_protocol::message::{Protocol, Route};
use std::path::PathBuf;
use tempfile::TempDir;
use uuid::Uuid;

const MINUTE_MS: u64 = 60_000;
const DATE_MS: u64 = 1_700_000_000_000;

/// The clocks at one moment of one run of the machine.
#[derive(Clone, Copy)]
struct At {
    boot: &'static str,
    monotonic_ms: u64,
    unix_ms: u64,
}

const OPENED: At = At {
    boot: "first",
    monotonic_ms: 10 * MINUTE_MS,
    unix_ms: DATE_MS,
};

impl Clock for At {
    fn now_ms(&self) -> u64 {
        self.unix_ms
    }

    fn monotonic_ms(&self) -> u64 {
        self.monotonic_ms
    }

    fn boot_id(&self) -> String {
        self.boot.to_owned()
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn route() -> Route {
    Route {
        ip_src: [203, 0, 113, 7].into(),
        port_dst: 7890,
        ip_dst_lan: [192, 168, 50, 10].into(),
        port_dst_lan: 80,
        protocol: Protocol::Tcp,
    }
}

/// A daemon's journal, with the first session open for 30 minutes and the second closed.
struct Life {
    folder: TempDir,
    journal: SessionJournal,
    table: Table,
}

impl Life {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::new(8);
        let (mut journal, _) = SessionJournal::open(folder.path(), &mut table, &OPENED).unwrap();
        let session = Session {
            route: route(),
            ends_at_ms: OPENED.monotonic_ms + 30 * MINUTE_MS,
        };
        for number in [1, 2] {
            table.restore(id(number), session);
            journal.note(id(number), &table, &OPENED);
        }
        table.drop_open(id(2));
        table.remember_closed(id(2), session.ends_at_ms);
        journal.note(id(2), &table, &OPENED);
        Self {
            folder,
            journal,
            table,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("sessions")
    }

    fn restart(&self, clock: At) -> Table {
        let mut table = Table::new(8);
        SessionJournal::open(self.folder.path(), &mut table, &clock).unwrap();
        table
    }
}

fn left_ms(table: &Table, clock: At) -> Option<u64> {
    let session = table.get(id(1))?;
    Some(session.ends_at_ms - clock.monotonic_ms)
}

#[test]
fn within_one_run_of_the_machine_no_date_moves_an_end() {
    let life = Life::begin();
    for unix_ms in [0, DATE_MS, DATE_MS + 1000 * MINUTE_MS] {
        let later = At {
            monotonic_ms: OPENED.monotonic_ms + 10 * MINUTE_MS,
            unix_ms,
            ..OPENED
        };
        let table = life.restart(later);
        assert_eq!(left_ms(&table, later), Some(20 * MINUTE_MS), "{unix_ms}");
        assert_eq!(table.sessions().count(), 1);
        table.check(id(2), &route()).expect_err("it stays closed");
    }
}

#[test]
fn over_a_restart_of_the_machine_nothing_is_restored_and_closed_stays_closed() {
    for unix_ms in [DATE_MS - 5 * MINUTE_MS, DATE_MS, DATE_MS + 12 * MINUTE_MS] {
        let booted = At {
            boot: "second",
            monotonic_ms: MINUTE_MS,
            unix_ms,
        };
        let table = Life::begin().restart(booted);
        assert!(
            table.is_empty(),
            "a date right after the start proves nothing"
        );
        table.check(id(2), &route()).expect_err("it stays closed");
    }
}

#[test]
fn what_has_ended_meanwhile_is_not_restored() {
    let later = At {
        monotonic_ms: OPENED.monotonic_ms + 30 * MINUTE_MS,
        ..OPENED
    };
    let table = Life::begin().restart(later);
    assert!(table.is_empty());
    table
        .check(id(2), &route())
        .expect("its possible end is over too");
}

#[test]
fn a_line_cut_off_by_a_crash_and_garbage_are_left_out() {
    let life = Life::begin();
    let whole = std::fs::read(life.file()).unwrap();
    for cut in 2..40 {
        let mut torn = whole.clone();
        torn.truncate(whole.len() - cut);
        std::fs::write(life.file(), &torn).unwrap();
        let table = life.restart(OPENED);
        assert!(table.get(id(1)).is_some());
        assert!(table.get(id(2)).is_some(), "closing it was never confirmed");
    }
    std::fs::write(life.file(), b"\0\xff\n{}\n[1]\n").unwrap();
    assert!(life.restart(OPENED).is_empty());
}

#[test]
fn a_long_file_is_written_anew() {
    let mut life = Life::begin();
    life.journal.lines = COMPACT_AFTER_LINES;
    life.journal.note(id(1), &life.table, &OPENED);
    let text = std::fs::read_to_string(life.file()).unwrap();
    assert_eq!(
        text.lines().count(),
        3,
        "the boot, one open, one closed: {text}"
    );
    life.journal.note(id(1), &life.table, &OPENED);
    let text = std::fs::read_to_string(life.file()).unwrap();
    assert_eq!(text.lines().count(), 4, "and then it grows again: {text}");
}

#[test]
fn when_the_disk_fails_nothing_comes_back_and_later_all_is_written_again() {
    let mut life = Life::begin();
    // A folder in the place of the new file: it cannot be written, and nothing can be renamed to it.
    let in_the_way = life.folder.path().join("sessions.new");
    std::fs::create_dir(&in_the_way).unwrap();
    life.table.drop_open(id(1));
    life.journal.note_all(&life.table, &OPENED);
    assert!(
        !life.file().exists(),
        "the open session is not in it any longer"
    );
    std::fs::remove_dir(&in_the_way).unwrap();
    let session = Session {
        route: route(),
        ends_at_ms: OPENED.monotonic_ms + MINUTE_MS,
    };
    life.table.restore(id(3), session);
    life.journal.note(id(3), &life.table, &OPENED);
    let table = life.restart(OPENED);
    assert!(table.get(id(3)).is_some() && table.get(id(1)).is_none());
    table
        .check(id(2), &route())
        .expect_err("it was written again");
}

#[test]
fn the_routes_of_what_has_ended_or_was_closed_are_told_but_not_those_still_open() {
    let told = |life: &Life, clock: At| {
        let mut table = Table::new(8);
        SessionJournal::open(life.folder.path(), &mut table, &clock)
            .unwrap()
            .1
    };
    let mut life = Life::begin();
    assert_eq!(told(&life, OPENED), [], "another session has it open");

    life = Life::begin();
    let over = At {
        monotonic_ms: OPENED.monotonic_ms + 30 * MINUTE_MS,
        ..OPENED
    };
    assert_eq!(told(&life, over), [route()], "both are over");

    life = Life::begin();
    life.table.drop_open(id(1));
    life.journal.note(id(1), &life.table, &OPENED);
    assert_eq!(told(&life, OPENED), [route()], "both were closed");

    life = Life::begin();
    let booted = At {
        boot: "second",
        ..over
    };
    assert_eq!(
        told(&life, booted),
        [],
        "no connection outlived the machine"
    );
}
