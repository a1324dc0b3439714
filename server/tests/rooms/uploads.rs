//! Uploads that nobody goes on with.

use std::fs;

use bytes::Bytes;
use gatehouse_core::{
    Actor, Error, Portal,
    firmware::{Addition, UploadState, UploadTarget},
    ports::{blobs::Blobs, firmware::ReleaseRecord},
};
use gatehouse_storage::FileBlobs;
use gatehouse_types::Version;
use uuid::Uuid;

use crate::house::{HOUR_MS, House, PROJECT};

async fn begin(house: &House, version: &str) -> Uuid {
    let target = UploadTarget {
        project: PROJECT,
        version,
        file_name: None,
        content_length: Some(10),
    };
    let firmware = &house.portal.firmware;
    let begun = firmware.begin_resumable(&house.admin, target, None).await;
    begun.expect("begins").id
}

async fn send(house: &House, id: Uuid, offset_bytes: u64, bytes: &'static [u8]) -> UploadState {
    let addition = Addition {
        offset_bytes,
        length_bytes: None,
        checksum: None,
    };
    let firmware = &house.portal.firmware;
    let append = firmware.append_resumable(&house.admin, PROJECT, id, addition);
    let mut append = append.await.expect("goes on");
    append
        .write(Bytes::from_static(bytes))
        .await
        .expect("writes");
    append.finish().await.expect("keeps")
}

async fn sweep(house: &House) -> u64 {
    house.portal.firmware.sweep_uploads().await.expect("sweeps")
}

async fn is_known(house: &House, id: Uuid) -> bool {
    let found = house
        .portal
        .firmware
        .resumable(&house.admin, PROJECT, id)
        .await;
    match found {
        Ok(_) => true,
        Err(Error::NotFound("upload")) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_upload_waits_a_day_for_its_next_byte() {
    let house = House::new().await;
    house.release("0.1.0").await;
    let (idle, slow, done) = (
        begin(&house, "1.0.0").await,
        begin(&house, "1.0.1").await,
        begin(&house, "1.0.2").await,
    );
    send(&house, idle, 0, b"01234").await;
    assert!(send(&house, done, 0, b"0123456789").await.is_release);
    house.pass_ms(24 * HOUR_MS);
    let state = send(&house, slow, 0, b"0").await;
    assert_eq!((state.offset_bytes, state.is_release), (1, false));
    assert_eq!(sweep(&house).await, 0);
    house.pass_ms(1);
    assert_eq!(sweep(&house).await, 2);
    assert_eq!(sweep(&house).await, 0, "no byte of them is left");
    assert!(!is_known(&house, idle).await && !is_known(&house, done).await);
    send(&house, slow, 1, b"12345678").await;
    let state = send(&house, slow, 9, b"9").await;
    assert!(state.is_release);
    let releases = &house.portal.firmware.catalog();
    let releases = &releases.project(PROJECT).expect("is there").releases;
    assert_eq!(releases.len(), 3, "what was finished stays");
}

#[tokio::test]
async fn a_sweep_spares_whoever_is_sending() {
    let house = House::new().await;
    house.release("0.1.0").await;
    let id = begin(&house, "1.0.0").await;
    let addition = Addition {
        offset_bytes: 0,
        length_bytes: None,
        checksum: None,
    };
    let firmware = &house.portal.firmware;
    let append = firmware.append_resumable(&house.admin, PROJECT, id, addition);
    let mut append = append.await.expect("goes on");
    append
        .write(Bytes::from_static(b"0123456789"))
        .await
        .expect("writes");
    house.pass_ms(48 * HOUR_MS);
    assert_eq!(sweep(&house).await, 0);
    assert!(append.finish().await.expect("keeps").is_release);
}

fn plain(version: &str, content_length: Option<u64>) -> UploadTarget<'_> {
    UploadTarget {
        project: PROJECT,
        version,
        file_name: None,
        content_length,
    }
}

/// A house whose project has room for 1,000 bytes, 5 of which are taken.
async fn narrow() -> House {
    let house = House::new().await;
    house.release("0.1.0").await;
    let change = serde_json::from_value(serde_json::json!({ "quota_bytes": 1_000 }));
    let firmware = &house.portal.firmware;
    firmware
        .change_project(&house.admin, PROJECT, &change.expect("fits"))
        .await
        .expect("changes");
    house
}

#[track_caller]
fn is_full<T>(upload: gatehouse_core::Result<T>) {
    match upload {
        Err(Error::QuotaExceeded { quota_bytes }) => assert_eq!(quota_bytes, 1_000),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it passes"),
    }
}

#[tokio::test]
async fn uploads_at_once_do_not_share_the_last_room() {
    let house = narrow().await;
    let (firmware, admin) = (&house.portal.firmware, &house.admin);
    let begin = |version, length| firmware.begin_upload(admin, plain(version, length));
    let mut first = begin("1.0.0", Some(600)).await.expect("begins");
    is_full(begin("1.0.1", Some(396)).await);
    let resumable = firmware.begin_resumable(admin, plain("1.0.1", Some(396)), None);
    is_full(resumable.await);
    let mut second = begin("1.0.1", None).await.expect("begins");
    for _ in 0..3 {
        let chunk = Bytes::from_static(&[1; 100]);
        second.write(chunk).await.expect("there is room so far");
    }
    is_full(second.write(Bytes::from_static(&[1; 96])).await);
    drop(second);
    let rest = begin("1.0.2", Some(395)).await.expect("the room is free");
    first
        .write(Bytes::from_static(&[2; 600]))
        .await
        .expect("writes");
    first.finish(None).await.expect("finishes");
    drop(rest);
    is_full(begin("1.0.2", Some(396)).await);
    begin("1.0.2", Some(395)).await.expect("there is room");
}

/// What had no length when it began must see what others brought meanwhile.
#[tokio::test]
async fn an_upload_that_grows_sees_what_was_finished_meanwhile() {
    let house = narrow().await;
    let (firmware, admin) = (&house.portal.firmware, &house.admin);
    let slow = firmware.begin_upload(admin, plain("1.0.0", None)).await;
    let mut slow = slow.expect("begins");
    let quick = firmware.begin_upload(admin, plain("1.0.1", Some(600)));
    let mut quick = quick.await.expect("begins");
    quick
        .write(Bytes::from_static(&[1; 600]))
        .await
        .expect("writes");
    quick.finish(None).await.expect("finishes");
    is_full(slow.write(Bytes::from_static(&[2; 396])).await);
}

/// Who asks for too much must not have others refused while the database is asked.
#[tokio::test]
async fn a_wish_that_is_refused_takes_no_room_from_others_meanwhile() {
    let house = narrow().await;
    let (firmware, admin) = (&house.portal.firmware, &house.admin);
    let mut database = house.database().await;
    let mut does = async |sql: &'static str| {
        let done = sqlx::query(sql).execute(&mut database).await;
        done.expect("does it");
    };
    does("BEGIN IMMEDIATE").await;
    let too_much = firmware.begin_resumable(admin, plain("1.0.0", Some(996)), None);
    let fits = firmware.begin_upload(admin, plain("1.0.1", Some(900)));
    // Each waits where it must before the next one begins.
    let (refused, taken, ()) = tokio::join!(too_much, fits, does("COMMIT"));
    is_full(refused);
    taken.expect("there is room");
}

/// Uploads these bytes as a draft of this version.
async fn upload(
    portal: &Portal,
    version: &str,
    bytes: &'static [u8],
) -> gatehouse_core::Result<()> {
    let (firmware, system) = (&portal.firmware, Actor::system());
    let mut upload = firmware.begin_upload(&system, plain(version, None)).await?;
    upload.write(Bytes::from_static(bytes)).await?;
    upload.finish(None).await.map(drop)
}

/// The image files of a house, by their addresses.
fn images(house: &House) -> Vec<String> {
    let folders = fs::read_dir(house.blobs()).expect("lists");
    let folders = folders.map(|folder| folder.expect("an entry").path());
    let of_images = folders.filter(|folder| folder.is_dir() && !folder.ends_with("tmp"));
    of_images
        .flat_map(|folder| fs::read_dir(folder).expect("lists"))
        .map(|file| {
            file.expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect()
}

#[tokio::test]
async fn a_row_that_the_database_refuses_leaves_no_image_on_the_disk() {
    let house = House::new().await;
    house.release("0.1.0").await;
    let before = images(&house);
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON releases BEGIN SELECT RAISE(ABORT, 'no room'); END";
    let mut database = house.database().await;
    sqlx::query(full)
        .execute(&mut database)
        .await
        .expect("breaks it");
    upload(&house.portal, "1.0.0", b"never named")
        .await
        .expect_err("refused");
    assert_eq!(images(&house), before);
    upload(&house.portal, "1.0.0", b"0.1.0")
        .await
        .expect_err("refused");
    assert_eq!(
        images(&house),
        before,
        "another release is made of these bytes"
    );
}

#[tokio::test]
async fn a_draft_and_a_project_that_go_take_their_images_along() {
    let house = House::new().await;
    house.release("0.1.0").await;
    let before = images(&house);
    for (version, bytes) in [
        ("1.0.0", b"alone "),
        ("2.0.0", b"shared"),
        ("3.0.0", b"shared"),
    ] {
        upload(&house.portal, version, bytes).await.expect("keeps");
    }
    let firmware = &house.portal.firmware;
    for (draft, left) in [("1.0.0", 2), ("2.0.0", 2), ("3.0.0", 1)] {
        let deleted = firmware.delete_release(&house.admin, PROJECT, draft).await;
        deleted.expect("deletes");
        assert_eq!(images(&house).len(), left, "{draft} is gone");
    }
    assert_eq!(images(&house), before);
    let removed = firmware.remove_project(&house.admin, PROJECT).await;
    removed.expect("removes");
    assert!(images(&house).is_empty());
}

#[tokio::test]
async fn an_image_that_another_instance_is_about_to_name_is_not_removed() {
    let house = House::new().await;
    house.release("0.1.0").await;
    upload(&house.portal, "1.0.0", b"the same")
        .await
        .expect("keeps");
    let catalog = house.portal.firmware.catalog();
    let there = catalog
        .project(PROJECT)
        .and_then(|project| project.release("1.0.0"));
    let theirs = ReleaseRecord {
        id: Uuid::from_u128(2),
        version: "2.0.0".into(),
        version_key: "2.0.0".parse::<Version>().expect("a version").key(),
        file_name: "theirs.bin".into(),
        ..there.expect("is there").record.clone()
    };
    // Another instance has put the same bytes in their place, and writes its row only now.
    let adds = FileBlobs::open(house.blobs())
        .expect("opens")
        .lock_to_add()
        .await;
    let named = || async {
        house
            .store
            .artifact_addresses()
            .await
            .expect("answers")
            .len()
    };
    let writes_its_row = async {
        while named().await > 1 {
            tokio::task::yield_now().await;
        }
        let written = house.store.insert_release(&theirs).await;
        written.expect("writes");
        drop(adds.expect("locks"));
    };
    let deletes = house
        .portal
        .firmware
        .delete_release(&house.admin, PROJECT, "1.0.0");
    let (deleted, ()) = tokio::join!(deletes, writes_its_row);
    deleted.expect("deletes");
    assert_eq!(images(&house).len(), 2, "2.0.0 has its bytes");
}
