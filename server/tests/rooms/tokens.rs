//! Device tokens and update checks as time goes by.

use gatehouse_core::{Actor, Error, actor::Who, firmware::Running};
use gatehouse_types::firmware::GenerateToken;
use uuid::Uuid;

use crate::house::{House, MINUTE_MS, PROJECT, nobody};

async fn token(house: &House, expires_minutes: Option<i64>, current_fw: &str) -> String {
    let wish = GenerateToken {
        device_id: Uuid::from_u128(7),
        project: PROJECT.into(),
        expires_minutes,
        current_fw: Some(current_fw.into()),
    };
    let operator = nobody().as_who(Who::AdminSecret);
    house
        .portal
        .firmware
        .generate_token(&operator, &wish)
        .await
        .expect("makes it")
        .token
}

async fn offered(house: &House, device: &Actor, current_fw: Option<&str>) -> Option<String> {
    let running = current_fw.map_or(Running::AsBefore, Running::Version);
    let answer = house
        .portal
        .firmware
        .check_update(device, running)
        .await
        .expect("answers");
    answer.release.map(|release| release.record.version.clone())
}

#[tokio::test]
async fn a_token_holds_to_its_last_second_and_not_a_second_longer() {
    let house = House::new().await;
    house.release("1.0.0").await;
    for (wished, minutes) in [(None, 30), (Some(1), 1), (Some(1440), 1440)] {
        let token = token(&house, wished, "1.0.0").await;
        let check = || house.portal.firmware.authenticate_device(&nobody(), &token);
        house.pass_ms(minutes * MINUTE_MS - 1);
        check().expect("holds");
        house.pass_ms(1);
        let error = check();
        assert!(
            matches!(error, Err(Error::Unauthenticated("Token expired"))),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_device_is_offered_the_newest_that_is_newer_and_nothing_else() {
    let house = House::new().await;
    for version in ["1.0.2", "1.10.0", "1.9.0", "2.0.0-rc.1"] {
        house.release(version).await;
    }
    let device = token(&house, None, "1.0.2").await;
    let device = house
        .portal
        .firmware
        .authenticate_device(&nobody(), &device)
        .expect("holds");
    for (current, expected) in [
        (None, Some("2.0.0-rc.1")),
        (Some("01.00.02"), Some("2.0.0-rc.1")),
        (Some("2.0.0-rc.1"), None),
        (Some("2.0.0-rc.2"), None),
        (Some("2.0.0"), None),
        (Some("99.0.0"), None),
    ] {
        assert_eq!(
            offered(&house, &device, current).await.as_deref(),
            expected,
            "{current:?}"
        );
    }
    let withdraw = async |version| {
        let system = Actor::system();
        house
            .portal
            .firmware
            .withdraw(&system, PROJECT, version)
            .await
            .expect("withdraws")
    };
    withdraw("2.0.0-rc.1").await;
    assert_eq!(
        offered(&house, &device, Some("1.0.2")).await.as_deref(),
        Some("1.10.0")
    );
    assert_eq!(
        offered(&house, &device, Some("1.10.0")).await,
        None,
        "never a lower one"
    );
    withdraw("1.10.0").await;
    withdraw("1.9.0").await;
    assert_eq!(
        offered(&house, &device, Some("01.00.02")).await,
        None,
        "01.00.02 is 1.0.2"
    );
}
