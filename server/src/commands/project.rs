use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use gatehouse_core::{Actor, firmware::Firmware};
use gatehouse_types::manifest::ProjectKeys;

use super::refuse;
use crate::{
    cli::Keys,
    composition::Installation,
    config::Config,
    key_files::{self, KeyFile},
    refusal::Refusal,
};

/// `gatehouse project keys`.
pub(super) async fn keys(config: Config, wish: &Keys) -> Result<(), Refusal> {
    let installation = Installation::open(config).await?;
    let found = find(&installation.portal.firmware, wish).await;
    installation.store.close().await;
    let files = key_files::of(&found?, wish.format);
    let Some(folder) = &wish.out else {
        for file in files {
            print!("{}", file.text);
        }
        return Ok(());
    };
    write(folder, &files).map_err(|error| {
        Refusal::new(format!(
            "The keys cannot be written into {} ({error}). Choose a folder that this user may write to.",
            folder.display()
        ))
    })
}

async fn find(firmware: &Firmware, wish: &Keys) -> Result<ProjectKeys, Refusal> {
    let (system, project) = (Actor::system(), wish.project.as_str());
    if wish.rotate {
        let rotated = firmware.rotate_project_key(&system, project).await;
        rotated.map_err(refuse)?;
    }
    if wish.retire {
        let retired = firmware.retire_project_key(&system, project).await;
        retired.map_err(refuse)?;
    }
    firmware
        .project_keys(&system, project)
        .await
        .map_err(refuse)
}

/// Public keys: whoever builds the firmware may read them.
fn write(folder: &Path, files: &[KeyFile]) -> std::io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)?;
    for KeyFile { name, text } in files {
        let path = folder.join(name);
        fs::write(&path, text)?;
        println!("{}", path.display());
    }
    Ok(())
}
