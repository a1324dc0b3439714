//! Sign-in sessions as time goes by, and what happens at the same moment as a sign-in.

use futures_util::future::join_all;
use gatehouse_core::{
    Actor, Error,
    identity::{SetupLink, SignIn},
};
use gatehouse_types::{account::UserChange, codes};

use crate::house::{Empty, HOUR_MS, House, MINUTE_MS, PASSWORD, nobody, sign_in_of};

const OWNER: &str = "bo@example.com";
const NEW_PASSWORD: &str = "nine loud cranes sleep";
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
        let request = SignIn {
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
    assert_eq!(link(&house, &token).await, SetupLink::Works);
    house.clock.pass_ms(1);
    assert_eq!(link(&house, &token).await, SetupLink::Invalid);
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
    assert_eq!(link(&house, &fresh).await, SetupLink::Works);
    let set_up = |token: &str| {
        let (house, token) = (&house, token.to_owned());
        async move {
            let identity = &house.portal.identity;
            identity
                .set_up(&nobody(), &token, "eve@example.com", PASSWORD)
                .await
        }
    };
    set_up(&fresh).await.expect("makes the admin");
    for token in [&fresh, &token, "guessed"] {
        assert_eq!(link(&house, token).await, SetupLink::Done);
        let refused = set_up(token).await;
        assert!(
            matches!(
                refused,
                Err(Error::Conflict {
                    code: codes::FINISHED,
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}

async fn link(house: &Empty, token: &str) -> SetupLink {
    let link = house.portal.identity.setup_link(token).await;
    link.expect("asks")
}

#[tokio::test]
async fn strangers_do_not_make_the_owner_wait_at_home() {
    let house = House::new().await;
    let sign_in = async |ip: &str, password: &str| {
        let actor = Actor::nobody(Some(ip.parse().expect("an address")), None);
        let request = SignIn {
            password,
            ..sign_in_of(OWNER)
        };
        house.portal.identity.sign_in(&actor, request, false).await
    };
    for home in ["203.0.113.7", "2001:db8:1:2::7"] {
        sign_in(home, PASSWORD).await.expect("signs in");
    }
    for network in 0..30 {
        let guess = sign_in(&format!("198.51.{network}.1"), "a guess").await;
        assert!(guess.is_err());
    }
    for next_day in ["203.0.113.250", "2001:db8:1:2:aaaa::1"] {
        sign_in(next_day, PASSWORD).await.expect("is at home");
    }
    let away = sign_in("192.0.2.1", PASSWORD).await;
    assert!(matches!(away, Err(Error::TooMany { .. })), "{away:?}");
}

#[tokio::test]
async fn no_sign_in_outlives_the_password_or_the_disabling_it_raced_with() {
    for change in [new_password(), disabled(true)] {
        let house = House::new().await;
        let portal = &house.portal;
        let from = |place: u8| Actor::nobody(Some([198, 51, 100, place].into()), None);
        let browser = |place| async move {
            let actor = from(place);
            let request = sign_in_of(OWNER);
            portal.identity.sign_in(&actor, request, false).await
        };
        let program = |place| async move {
            let actor = from(place);
            portal.identity.api_login(&actor, sign_in_of(OWNER)).await
        };
        let ((), browsers, programs) = tokio::join!(
            change_owner(&house, &change),
            join_all((1..=6).map(browser)),
            join_all((7..=12).map(program)),
        );
        change_owner(&house, &disabled(false)).await;
        for signed_in in browsers.into_iter().flatten() {
            assert!(!is_known(&house, &signed_in.secret).await, "{change:?}");
        }
        for login in programs.into_iter().flatten() {
            let actor = portal
                .identity
                .authenticate_api_token(&nobody(), &login.token)
                .await;
            assert!(actor.is_err(), "{change:?}");
        }
    }
}

#[tokio::test]
async fn what_two_admins_change_at_the_same_moment_both_stands() {
    let house = House::new().await;
    let (new_password, disabling) = (new_password(), disabled(true));
    tokio::join!(
        change_owner(&house, &new_password),
        change_owner(&house, &disabling),
    );
    let identity = &house.portal.identity;
    let owner = house.owner.account().expect("is one").id;
    let user = identity.user(&Actor::system(), owner).await;
    assert!(user.expect("is there").disabled);

    change_owner(&house, &disabled(false)).await;
    let request = SignIn {
        password: NEW_PASSWORD,
        ..sign_in_of(OWNER)
    };
    let signed_in = identity.sign_in(&nobody(), request, false).await;
    signed_in.expect("the new password is in force");
}

async fn change_owner(house: &House, change: &UserChange) {
    let owner = house.owner.account().expect("is one").id;
    let changed = house
        .portal
        .change_user(&Actor::system(), owner, change)
        .await;
    changed.expect("changes it");
}

fn new_password() -> UserChange {
    UserChange {
        password: Some(NEW_PASSWORD.into()),
        ..UserChange::default()
    }
}

fn disabled(disabled: bool) -> UserChange {
    UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    }
}
