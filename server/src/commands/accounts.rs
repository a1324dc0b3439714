use std::io::{Read, stdin};

use gatehouse_core::Actor;
use gatehouse_types::account::{NewUser, Role};

use crate::{composition::Installation, config::Config, refusal::Refusal};

/// `gatehouse admin create`.
pub(super) async fn create(
    config: Config,
    email: &str,
    owner: bool,
    password_stdin: bool,
) -> Result<(), Refusal> {
    let password = if password_stdin { read_stdin() } else { ask() }?;
    let role = if owner { Role::Owner } else { Role::Admin };
    let installation = Installation::open(config).await?;
    let new = NewUser {
        email: email.into(),
        password,
        role,
    };
    let created = installation
        .portal
        .identity
        .create_user(&Actor::system(), &new)
        .await;
    installation.store.close().await;
    let user = created.map_err(|error| Refusal::new(error.to_string()))?;
    println!("{} can sign in now, as {}.", user.email, role.as_str());
    Ok(())
}

fn read_stdin() -> Result<String, Refusal> {
    let mut text = String::new();
    stdin().read_to_string(&mut text).map_err(|error| {
        Refusal::new(format!(
            "The password on standard input cannot be read ({error})."
        ))
    })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

fn ask() -> Result<String, Refusal> {
    let unreadable = |error: std::io::Error| {
        Refusal::new(format!(
            "The password cannot be asked for here ({error}). Pass it with --password-stdin."
        ))
    };
    let first = rpassword::prompt_password("Password: ").map_err(unreadable)?;
    let again = rpassword::prompt_password("Password again: ").map_err(unreadable)?;
    if first == again {
        Ok(first)
    } else {
        Err(Refusal::new(
            "The two passwords differ. Run the command again.",
        ))
    }
}
