//! Whether the secrets of an installation open the private keys of its projects.

use gatehouse_core::{
    firmware::opens_project_key,
    ports::{Clock, Store},
    project_key_secrets,
};

use super::{existing_secret, refuse};
use crate::{
    config::{Config, Secret},
    refusal::Refusal,
    system::SystemClock,
};

/// How many keys of projects are in force, and how many of them stay shut.
pub(super) struct Seals {
    pub(super) keys: usize,
    shut: usize,
}

impl Seals {
    /// Tries every key in force; the schema has to be of this version.
    pub(super) async fn try_all(config: &Config, rows: &dyn Store) -> Result<Self, Refusal> {
        let secret = existing_secret(&config.data_dir)?;
        let apart = config.project_key_secret.as_ref();
        let secrets = project_key_secrets(&secret, apart.map(Secret::expose));
        let secrets = secrets.map_err(refuse)?;
        let catalog = rows.load_catalog(SystemClock.now_ms()).await;
        let keys = catalog.map_err(refuse)?.project_keys;
        let shut = keys.iter().filter(|key| !opens_project_key(&secrets, key));
        Ok(Self {
            shut: shut.count(),
            keys: keys.len(),
        })
    }

    /// What is wrong and what to do; `None` when every key opens.
    pub(super) fn complaint(&self) -> Option<String> {
        let which = match self.shut {
            0 => return None,
            shut if shut == self.keys => "None of the project keys opens".to_owned(),
            shut => format!("{shut} of the {} project keys do not open", self.keys),
        };
        Some(format!(
            "{which}, and no device takes a release that they should sign. Set firmware.project_key_secret or firmware.project_key_secret_file to the secret that was kept beside the backup; without such a secret, bring keys/secret.bin back."
        ))
    }
}
