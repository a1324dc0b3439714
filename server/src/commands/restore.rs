use std::{
    collections::HashSet,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use gatehouse_core::ports::blobs::Blobs;
use gatehouse_storage::{FileBlobs, StoreHandle};

use super::{
    backup_file::{Part, Reader},
    project_key_seals::Seals,
    refuse, sqlite_file, sync_folder_of, unless_stopped,
};
use crate::{
    composition,
    config::{CoSignerAt, Config},
    refusal::Refusal,
};

/// `gatehouse restore FILE`: reads the whole file before it writes the first byte.
pub(super) async fn restore(config: &Config, file: &Path) -> Result<(), Refusal> {
    let target = Target::of(config)?;
    target.refuse_unless_empty()?;
    let mut check = Reader::open(file)?;
    while check.next_entry()?.is_some() {}

    target.refuse_unless_empty()?;
    let _lock = composition::open_data_dir(config)?;
    let written = unless_stopped(write(config, file, &target)).await;
    if written.is_err() {
        target.clear();
    }
    let Restored {
        images,
        missing,
        left_out,
        shut_keys,
    } = written?;
    println!(
        "Restored the database, {images} images and the keys into {}. Start the portal with gatehouse serve.",
        target.data_dir.display()
    );
    if let (CoSignerAt::Service(service), 1..) = (&config.cosigner, left_out) {
        println!(
            "Left in the backup: {left_out} files of the co-signer that ran inside the portal, private keys among them. cosigner.url is set, so {} signs. If it does not have these keys, devices that know them take no release from it: restore without cosigner.url elsewhere, and move that cosigner folder to its host.",
            service.url
        );
    }
    if let Some(complaint) = shut_keys {
        println!("{complaint}");
    }
    for sha256 in &missing {
        println!("Not in the backup: the image {sha256}.");
    }
    if !missing.is_empty() {
        println!(
            "Put them back from another backup, or upload the same files again; gatehouse doctor names their releases."
        );
    }
    Ok(())
}

/// Where everything goes.
struct Target<'a> {
    data_dir: &'a Path,
    blob_dir: &'a Path,
    /// None where another host co-signs: both halves of a signature do not belong on one.
    cosigner_dir: Option<PathBuf>,
    database: &'a Path,
}

impl<'a> Target<'a> {
    fn of(config: &'a Config) -> Result<Self, Refusal> {
        let database = sqlite_file(config).ok_or_else(|| {
            Refusal::new("A backup holds a SQLite database, but database_url names PostgreSQL. Remove database_url to restore, or use pg_restore.")
        })?;
        Ok(Self {
            data_dir: &config.data_dir,
            blob_dir: &config.blob_dir,
            cosigner_dir: match &config.cosigner {
                CoSignerAt::InProcess { dir } => Some(dir.clone()),
                CoSignerAt::Service(_) => None,
            },
            database,
        })
    }

    /// The data folder last: the others may lie in it.
    fn folders(&self) -> impl Iterator<Item = &Path> {
        let cosigner_dir = self.cosigner_dir.as_deref();
        let before = cosigner_dir.into_iter().chain([self.blob_dir]);
        before.chain([self.data_dir])
    }

    fn refuse_unless_empty(&self) -> Result<(), Refusal> {
        for folder in self.folders() {
            let shown = folder.display();
            match fs::read_dir(folder).map(|mut inside| inside.next().is_none()) {
                Ok(true) => {}
                Ok(false) => {
                    return Err(Refusal::new(format!(
                        "The folder {shown} is not empty. Restore into an empty one: name it with --data-dir."
                    )));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Refusal::new(format!(
                        "The folder {shown} cannot be looked into ({error}). Name another with --data-dir."
                    )));
                }
            }
        }
        if self.database.exists() {
            return Err(Refusal::new(format!(
                "There is a database {} already. Set database_url to a file that does not exist.",
                self.database.display()
            )));
        }
        Ok(())
    }

    /// The database under another name: only a whole restore gives it its own.
    fn unfinished_database(&self) -> PathBuf {
        self.database.with_added_extension("restoring")
    }

    /// Takes away what a failed restore wrote. All of it is ours: the folders were empty.
    fn clear(&self) {
        let unfinished = self.unfinished_database();
        for suffix in ["", "-wal", "-shm"] {
            let mut name = unfinished.clone().into_os_string();
            name.push(suffix);
            tell(&PathBuf::from(&name), fs::remove_file(&name));
        }
        for folder in self.folders() {
            tell(folder, empty(folder));
        }
    }
}

fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The restore has failed already; what stays behind is said, not thrown.
fn tell(path: &Path, removed: io::Result<()>) {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            eprintln!("{} could not be removed ({error}).", path.display());
        }
        _gone => {}
    }
}

/// What a backup brought back.
struct Restored {
    images: usize,
    /// The addresses of images that the database names and the backup did not hold.
    missing: Vec<String>,
    /// How many of the co-signer's files have no place here.
    left_out: usize,
    /// What is wrong with the seals of the projects' keys, if anything is.
    shut_keys: Option<String>,
}

async fn write(config: &Config, file: &Path, target: &Target<'_>) -> Result<Restored, Refusal> {
    let blobs = FileBlobs::open(target.blob_dir).map_err(refuse)?;
    let unfinished = target.unfinished_database();
    let mut reader = Reader::open(file)?;
    let (mut images, mut left_out) = (HashSet::new(), 0);
    while let Some(part) = reader.next_entry()? {
        match part {
            Part::Database => write_file(&mut reader, &unfinished)?,
            Part::Secret => write_key(&mut reader, &target.data_dir.join("keys/secret.bin"))?,
            Part::Identity => write_key(&mut reader, &target.data_dir.join("keys/identity.pem"))?,
            Part::CoSigner(name) => match &target.cosigner_dir {
                Some(folder) => write_key(&mut reader, &folder.join(name))?,
                None => left_out += 1,
            },
            Part::Blob(sha256) => {
                write_blob(&mut reader, &blobs).await?;
                images.insert(sha256);
            }
        }
    }
    let (mut missing, shut_keys) = look_into(config, &unfinished).await?;
    missing.retain(|sha256| !images.contains(sha256));
    fs::rename(&unfinished, target.database)
        .and_then(|()| sync_folder_of(target.database))
        .map_err(|error| not_written(target.database, &error))?;
    Ok(Restored {
        images: images.len(),
        missing,
        left_out,
        shut_keys,
    })
}

fn write_key(reader: &mut Reader, path: &Path) -> Result<(), Refusal> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| not_written(folder, &error))?;
    write_file(reader, path)
}

fn write_file(reader: &mut Reader, path: &Path) -> Result<(), Refusal> {
    let failed = |error: io::Error| not_written(path, &error);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    while let Some(chunk) = reader.chunk()? {
        file.write_all(&chunk).map_err(failed)?;
    }
    file.sync_all()
        .and_then(|()| sync_folder_of(path))
        .map_err(failed)
}

/// The store names it by its bytes; a wrong digest ends this before it becomes visible.
async fn write_blob(reader: &mut Reader, blobs: &FileBlobs) -> Result<(), Refusal> {
    let mut upload = blobs.start().await.map_err(refuse)?;
    while let Some(chunk) = reader.chunk()? {
        upload.write(chunk).await.map_err(refuse)?;
    }
    upload.finish().await.map_err(refuse)
}

/// Lists the images that the database names, and says if projects' keys stay shut; a database that
/// a newer portal wrote is refused.
async fn look_into(
    config: &Config,
    database: &Path,
) -> Result<(Vec<String>, Option<String>), Refusal> {
    let store = StoreHandle::connect(&format!("sqlite:{}", database.display()))
        .await
        .map_err(refuse)?;
    let checked = store.check_version().await.map_err(refuse);
    // Of the catalogue only this can be asked whatever the schema's age.
    let named = store.store().artifact_addresses().await.map_err(refuse);
    let shut_keys = shut_keys(config, &store).await;
    store.close().await;
    checked?;
    Ok((named?, shut_keys?))
}

async fn shut_keys(config: &Config, store: &StoreHandle) -> Result<Option<String>, Refusal> {
    // An older schema may lack the keys; doctor looks after it was brought up to date.
    if store.applied_migration().await.map_err(refuse)? != Some(store.newest_migration()) {
        return Ok(None);
    }
    let seals = Seals::try_all(config, store.store().as_ref()).await?;
    Ok(seals.complaint())
}

fn not_written(path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(format!(
        "{} cannot be written ({error}). Choose a data folder with room that this user may write to.",
        path.display()
    ))
}
