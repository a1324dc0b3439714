//! Sign-in sessions as time goes by.

use gatehouse_core::Error;

use crate::house::{Empty, HOUR_MS, House, MINUTE_MS, PASSWORD, nobody, sign_in_of};

const OWNER: &str = "bo@example.com";
const DAY_MS: i64 = 24 * HOUR_MS;

async fn secret(house: &House, remember: bool) -> String {
    let signed_in = house
        .portal
        .identity
        .sign_in(&nobody(), sign_in_of(OWNER), remember)
        .await;
    signed_in.expect("signs in").secret
}

async fn is_known(house: &House, secret: &str) -> bool {
    let actor = house
        .portal
        .identity
        .authenticate_cookie(&nobody(), secret)
        .await;
    actor.expect("the database answers").is_some()
}

#[tokio::test]
async fn an_idle_browser_is_signed_out_after_an_hour() {
    let house = House::new().await;
    let secret = secret(&house, false).await;
    house.pass_ms(HOUR_MS - 1);
    assert!(is_known(&house, &secret).await, "and this was a use");
    house.pass_ms(HOUR_MS - 1);
    assert!(is_known(&house, &secret).await);
    house.pass_ms(HOUR_MS);
    assert!(!is_known(&house, &secret).await);
}

#[tokio::test]
async fn a_busy_browser_is_signed_out_after_a_day() {
    let house = House::new().await;
    let secret = secret(&house, false).await;
    for _ in 0..47 {
        house.pass_ms(HOUR_MS / 2);
        assert!(is_known(&house, &secret).await);
    }
    house.pass_ms(HOUR_MS / 2);
    assert!(!is_known(&house, &secret).await);
}

#[tokio::test]
async fn a_remembered_browser_stays_thirty_days() {
    let house = House::new().await;
    let secret = secret(&house, true).await;
    house.pass_ms(30 * DAY_MS - 1);
    assert!(is_known(&house, &secret).await);
    house.pass_ms(1);
    assert!(!is_known(&house, &secret).await);
}

#[tokio::test]
async fn a_programs_token_lasts_an_hour_and_then_says_so() {
    let house = House::new().await;
    let login = house
        .portal
        .identity
        .api_login(&nobody(), sign_in_of(OWNER))
        .await
        .expect("signs in");
    house.pass_ms(HOUR_MS - 1000);
    house
        .portal
        .identity
        .authenticate_api_token(&nobody(), &login.token)
        .await
        .expect("holds");
    house.pass_ms(1000);
    let error = house
        .portal
        .identity
        .authenticate_api_token(&nobody(), &login.token)
        .await;
    assert!(
        matches!(error, Err(Error::Unauthenticated("Token expired"))),
        "{error:?}"
    );
}

#[tokio::test]
async fn guessing_waits_longer_and_longer_and_is_forgotten_in_time() {
    let house = House::new().await;
    let attempt = async |password: &str| {
        let request = gatehouse_core::identity::SignIn {
            password,
            ..sign_in_of(OWNER)
        };
        match house
            .portal
            .identity
            .sign_in(&nobody(), request, false)
            .await
        {
            Err(Error::TooMany { retry_after_s }) => {
                i64::try_from(retry_after_s).expect("a little")
            }
            _ => 0,
        }
    };
    for _ in 0..6 {
        assert_eq!(attempt("wrong").await, 0);
    }
    let first_s = attempt(PASSWORD).await;
    assert!(first_s >= 1, "the right password waits too");
    house.pass_ms(first_s * 1000);
    assert_eq!(attempt("wrong").await, 0);
    let second_s = attempt("wrong").await;
    assert!(second_s > first_s, "{second_s} after {first_s}");
    house.pass_ms(second_s * 1000);
    assert_eq!(attempt(PASSWORD).await, 0);
    assert_eq!(attempt("wrong").await, 0, "success forgives");
    house.pass_ms(16 * MINUTE_MS);
    assert_eq!(attempt("wrong").await, 0);
}

#[tokio::test]
async fn a_set_up_link_works_for_half_an_hour() {
    let house = Empty::new().await;
    let token = house
        .portal
        .identity
        .setup_token()
        .await
        .expect("asks")
        .expect("no account yet");
    house.clock.pass_ms(30 * MINUTE_MS - 1);
    assert!(
        house
            .portal
            .identity
            .setup_token_works(&token)
            .await
            .expect("asks")
    );
    house.clock.pass_ms(1);
    assert!(
        !house
            .portal
            .identity
            .setup_token_works(&token)
            .await
            .expect("asks")
    );
    let late = house
        .portal
        .identity
        .set_up(&nobody(), &token, "eve@example.com", PASSWORD)
        .await;
    assert!(matches!(late, Err(Error::Forbidden(_))));
    let fresh = house
        .portal
        .identity
        .setup_token()
        .await
        .expect("asks")
        .expect("still no account");
    assert!(
        house
            .portal
            .identity
            .setup_token_works(&fresh)
            .await
            .expect("asks")
    );
}
