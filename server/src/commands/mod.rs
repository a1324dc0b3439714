//! What `gatehouse <command>` does. Each answers with one sentence when it cannot.

mod accounts;
mod backup;
mod backup_file;
mod cosigner;
mod doctor;
mod family_names;
mod health;
mod import;
mod import_names;
mod project;
mod project_key_seals;
mod restore;
mod router;
mod serve;

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::Path,
};

use gatehouse_core::{access::webhook_key, ports::random_bytes};

use crate::{
    api,
    cli::{AdminCommand, Command, Flags, ProjectCommand, RouterCommand},
    composition::Installation,
    config::{self, Config, Environment},
    http::shutdown,
    keys::{self, SECRET_BYTES},
    refusal::Refusal,
    system::SystemRng,
};

/// Runs one command to its end.
///
/// # Errors
/// One plain sentence that says what to do.
pub async fn run(command: Command) -> Result<(), Refusal> {
    match command {
        Command::Serve {
            flags,
            print_config: true,
        } => {
            print!("{}", load(&flags)?.print());
            Ok(())
        }
        Command::Serve {
            flags,
            print_config: false,
        } => serve::serve(load(&flags)?).await,
        Command::Admin {
            command:
                AdminCommand::Create {
                    flags,
                    email,
                    owner,
                    password_stdin,
                },
        } => accounts::create(load(&flags)?, &email, owner, password_stdin).await,
        Command::Router {
            command: RouterCommand::Send(words),
        } => router::send(&words).await,
        Command::Project {
            command: ProjectCommand::Keys(wish),
        } => project::keys(load(&wish.flags)?, &wish).await,
        Command::CoSigner { flags } => cosigner::show(&load(&flags)?).await,
        Command::Migrate { flags } => migrate(load(&flags)?).await,
        Command::Backup { flags, file } => backup::backup(&load(&flags)?, &file).await,
        Command::Restore { flags, file } => restore::restore(&load(&flags)?, &file).await,
        Command::Import { flags, folder } => import::import(load(&flags)?, &folder).await,
        Command::Doctor { flags } => doctor::doctor(&load(&flags)?).await,
        Command::WakeKey { flags, origin } => wake_key(&load(&flags)?, &origin),
        Command::Openapi => openapi(),
        Command::Health { flags, url } => health::health(flags, url, load).await,
    }
}

fn load(flags: &Flags) -> Result<Config, Refusal> {
    let environment = our_variables(std::env::vars_os())?;
    Config::load(flags, &environment, |path| fs::read_to_string(path))
}

/// Other programs' variables may hold any bytes; only those that we read have to be text.
fn our_variables(
    all: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Environment, Refusal> {
    all.into_iter()
        .filter(|(name, _)| {
            name.as_encoded_bytes().starts_with(b"GATEHOUSE_") || name == "OTA_ADMIN_SECRET"
        })
        .map(
            |(name, value)| match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => Ok((name, value)),
                (Ok(name), Err(_)) => Err(Refusal::new(format!(
                    "The value of the environment variable {name} is not UTF-8. Set it to plain text."
                ))),
                (Err(name), _) => Err(Refusal::new(format!(
                    "The name of the environment variable {} is not UTF-8. Unset it.",
                    name.display()
                ))),
            },
        )
        .collect()
}

/// The file behind a `sqlite:` URL; `None` for PostgreSQL.
fn sqlite_file(config: &Config) -> Option<&Path> {
    let path = config.database_url.expose().strip_prefix("sqlite:")?;
    Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
}

/// Reads the signing secret of an installation that has one, and never makes another.
fn existing_secret(data_dir: &Path) -> Result<[u8; SECRET_BYTES], Refusal> {
    if !data_dir.join("keys/secret.bin").exists() {
        return Err(Refusal::new(format!(
            "There is no signing secret in {}/keys. Name the right folder with --data-dir; gatehouse serve makes a new secret, gatehouse restore brings the old one back.",
            data_dir.display()
        )));
    }
    keys::load_or_create(data_dir, || random_bytes(&SystemRng))
}

/// Does the work, or drops it at SIGTERM or Ctrl-C so that it cleans up behind itself.
async fn unless_stopped<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let stop = shutdown::requested()?;
    tokio::select! {
        done = work => done,
        () = stop => Err(Refusal::new("Stopped before it was done; nothing is left of it. Run it again.")),
    }
}

/// Makes new names in the folder of `path` last through a power cut.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn refuse(error: impl std::error::Error) -> Refusal {
    Refusal::new(error.to_string())
}

async fn migrate(config: Config) -> Result<(), Refusal> {
    let installation = Installation::open(config).await?;
    println!(
        "The database has the schema of this version (migration {}).",
        installation.store.newest_migration()
    );
    installation.store.close().await;
    Ok(())
}

fn wake_key(config: &Config, origin: &str) -> Result<(), Refusal> {
    println!("{}", key_for(config, origin)?);
    Ok(())
}

/// The key of a home backend that the configuration allows.
fn key_for(config: &Config, origin: &str) -> Result<String, Refusal> {
    let origin = config::origin(origin)
        .map_err(|wanted| Refusal::new(format!("The home backend {wanted}")))?;
    if !config.webhook_origins.contains(&origin) {
        return Err(Refusal::new(format!(
            "{origin} is not in wake.webhook_origins. Add it there first."
        )));
    }
    let secret = config.webhook_secret.as_ref().ok_or_else(|| {
        Refusal::new("wake.webhook_secret is not set, so no token is signed. Set it first.")
    })?;
    webhook_key(secret.expose(), &origin).map_err(refuse)
}

fn openapi() -> Result<(), Refusal> {
    let json = api::document()
        .to_pretty_json()
        .map_err(|error| Refusal::new(error.to_string()))?;
    println!("{json}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_home_backend_has_the_key_of_its_own_origin() {
        let set = |name: &str, value: &str| (format!("GATEHOUSE_WAKE_{name}"), value.to_owned());
        let origins = set(
            "WEBHOOK_ORIGINS",
            "https://home.example.org, http://10.0.0.5:8080",
        );
        let key_of = |environment: Environment, origin| {
            let config = Config::load(&Flags::default(), &environment, |path| {
                fs::read_to_string(path)
            });
            key_for(&config.expect("holds together"), origin).map_err(|refusal| refusal.to_string())
        };
        let secret = set("WEBHOOK_SECRET", "a secret of two programs");
        let both = Environment::from([origins.clone(), secret]);
        let known = "47f57c2990f535c3d4277b01b8a7494d549e8ab79ba40fb5f832858eb021b6e9";
        for same in ["https://home.example.org", "https://HOME.example.org:443/"] {
            assert_eq!(key_of(both.clone(), same).as_deref(), Ok(known), "{same}");
        }
        let other = key_of(both.clone(), "http://10.0.0.5:8080").expect("is allowed");
        assert_ne!(other, known);
        for (environment, origin, wanted) in [
            (
                both.clone(),
                "https://evil.example",
                "not in wake.webhook_origins",
            ),
            (both, "home.example.org", "must be http:// or https://"),
            (
                Environment::from([origins]),
                "https://home.example.org",
                "wake.webhook_secret is not set",
            ),
        ] {
            let refused = key_of(environment, origin).expect_err("is refused");
            assert!(refused.contains(wanted), "{refused}");
        }
    }

    fn not_text() -> OsString {
        OsString::from_vec(vec![b'x', 0xff])
    }

    #[test]
    fn other_programs_variables_are_passed_over_whatever_they_hold() {
        let ours = [
            ("GATEHOUSE_LISTEN".into(), "127.0.0.1:1".into()),
            ("OTA_ADMIN_SECRET".into(), "seed".into()),
        ];
        let others = [("LS_COLORS".into(), not_text()), (not_text(), "x".into())];
        let read = our_variables(ours.into_iter().chain(others)).expect("reads ours");
        let names: Vec<&str> = read.keys().map(String::as_str).collect();
        assert_eq!(names, ["GATEHOUSE_LISTEN", "OTA_ADMIN_SECRET"]);
    }

    #[test]
    fn a_variable_of_ours_that_is_no_text_is_refused_by_name() {
        let refusal =
            our_variables([("GATEHOUSE_DATA_DIR".into(), not_text())]).expect_err("refuses");
        assert!(
            refusal.to_string().contains("GATEHOUSE_DATA_DIR"),
            "{refusal}"
        );
    }
}
