//! When an image counts as fetched: what broke off does not.

use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::{
    field::Field,
    furnish::{DEVICE, PROJECT, image},
    harness::{Ask, ask, get},
};

const UPDATE: &str = "/api/v1/device/update?current_fw=1.0.0";
const SIZE_BYTES: u32 = 300_000;
/// More than is kept in memory.
const LARGE_BYTES: u32 = 4 * 1024 * 1024 + 300_000;

async fn percent(field: &Field) -> Value {
    let device = field.device().await;
    Field::insist(&device, "1.1.0", "downloading");
    device["action"]["progress_percent"].clone()
}

#[tokio::test]
async fn an_image_counts_as_fetched_when_its_last_byte_is_taken() {
    for size_bytes in [SIZE_BYTES, LARGE_BYTES] {
        let field = Field::with(&[], &["1.0.0"]).await;
        field.release("1.1.0", image(size_bytes)).await;
        field.get(UPDATE).await.expect(200);
        let ask = || get("/firmware/lamp/lamp-1.1.0.bin").bearer(&field.token);
        let begin = async |ask: Ask, status: u16| {
            let answer = field.portal.begin(ask).await;
            assert_eq!(answer.status(), status);
            answer.into_body()
        };
        let mut body = begin(ask(), 200).await;
        body.frame().await.expect("more").expect("bytes");
        drop(body);
        assert_eq!(percent(&field).await, Value::Null, "{size_bytes}");
        let middle = format!("bytes={}-", size_bytes / 2);
        let rest = begin(ask().header("range", &middle), 206).await;
        assert_eq!(percent(&field).await, json!(50), "where it goes on");
        let rest = rest.collect().await.expect("whole").to_bytes();
        assert_eq!(rest, image(size_bytes).slice(size_bytes as usize / 2..));
        assert_eq!(percent(&field).await, json!(100), "{size_bytes}");
    }
}

/// A device that fetches an image with one request cannot be told in another way.
#[tokio::test]
async fn stopping_an_update_cuts_off_the_download() {
    let field = Field::with(&[], &["1.0.0"]).await;
    field.release("1.1.0", image(SIZE_BYTES)).await;
    field.get(UPDATE).await.expect(200);
    let fetch = get("/firmware/lamp/lamp-1.1.0.bin").bearer(&field.token);
    let mut body = field.portal.begin(fetch).await.into_body();
    body.frame().await.expect("more").expect("bytes");
    let path = format!("/api/v1/projects/{PROJECT}/devices/{DEVICE}/cancel");
    let stop = ask("POST", &path).cookie(&field.admin.cookie);
    assert_eq!(field.portal.send(stop).await.status, 204);
    assert!(body.frame().await.expect("an end").is_err());
}

#[tokio::test]
async fn the_whole_of_a_large_answer_is_the_image() {
    let field = Field::with(&[], &["1.0.0"]).await;
    field.release("1.1.0", image(SIZE_BYTES)).await;
    field.get(UPDATE).await.expect(200);
    let whole = field.get("/firmware/lamp/lamp-1.1.0.bin").await;
    assert_eq!(whole.header("content-length"), "300000");
    assert_eq!(whole.body, image(SIZE_BYTES));
    assert_eq!(percent(&field).await, json!(100));
}
