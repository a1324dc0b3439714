//! Uploads that nobody goes on with.

use bytes::Bytes;
use gatehouse_core::{
    Error,
    firmware::{Addition, UploadState, UploadTarget},
};
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
