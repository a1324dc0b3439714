use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gatehouse_core::ports::{
    Clock,
    blobs::Blobs,
    firmware::{Artifact, CatalogRows},
};
use gatehouse_storage::{FileBlobs, OpenError, StoreHandle};
use sha2::{Digest, Sha256};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::{
    backup_file::{CHUNK_BYTES, NotAdded, Part, Writer},
    existing_secret, refuse, sqlite_file, sync_folder_of, unless_stopped,
};
use crate::{
    config::{CoSignerAt, Config},
    refusal::Refusal,
    system::SystemClock,
};

/// `gatehouse backup FILE`; the portal may go on meanwhile.
pub(super) async fn backup(config: &Config, file: &Path) -> Result<(), Refusal> {
    let database = sqlite_file(config).ok_or_else(|| refuse(OpenError::NoSnapshot))?;
    if !database.is_file() {
        return Err(Refusal::new(format!(
            "There is no database {} to back up. Name the right folder with --data-dir.",
            database.display()
        )));
    }
    if file.exists() {
        return Err(Refusal::new(format!(
            "{} exists already. Name a file that does not.",
            file.display()
        )));
    }
    let scratch = Scratch::beside(file)?;
    let written = unless_stopped(write(config, &scratch)).await?;
    scratch.publish(file)?;
    println!(
        "Wrote {} ({} bytes, mode 0600): the database ({} bytes), {} images ({} bytes) and the keys.",
        file.display(),
        written.size_bytes,
        written.database_bytes,
        written.images,
        written.image_bytes
    );
    for line in about_keys(config, &written) {
        println!("{line}");
    }
    complain_of(&written.left_out, file)
}

/// Says which keys are inside, which are not, and what that means for the file.
fn about_keys(config: &Config, written: &Written) -> Vec<String> {
    let keys = written.project_keys;
    let mut lines = Vec::new();
    let holder = if config.project_key_secret.is_some() {
        lines.push(format!(
            "Inside: {keys} project keys, the secret of the portal (keys/secret.bin), and the identity key by which a co-signer knows the portal (keys/identity.pem)."
        ));
        lines.push("NOT inside: firmware.project_key_secret, which opens the project keys made since it was set. Keep it beside this file, at another place; a portal restored without it cannot sign with them.".into());
        "whoever holds this file and that secret"
    } else {
        lines.push(format!(
            "Inside: {keys} project keys and what opens them (keys/secret.bin), and the identity key by which a co-signer knows the portal (keys/identity.pem)."
        ));
        "whoever holds this file"
    };
    let power = match &config.cosigner {
        CoSignerAt::InProcess { .. } => {
            lines.push("Inside: the co-signer's private keys, for it runs in the portal.".into());
            "can sign what every device installs"
        }
        CoSignerAt::Service(_) => "can sign for the projects, and ask the co-signer as this portal",
    };
    lines.push(format!(
        "That means: {holder} {power}. Keep it like a key, where only you can read it."
    ));
    lines
}

/// The backup is worth having all the same, but whoever called it must not take it for whole.
fn complain_of(left_out: &[String], file: &Path) -> Result<(), Refusal> {
    if left_out.is_empty() {
        return Ok(());
    }
    for image in left_out {
        println!("Left out: {image}.");
    }
    Err(Refusal::new(format!(
        "{} of the images are damaged or missing, and not in {}; all else is. Put them back from an earlier backup or upload the same files again, then take another backup.",
        left_out.len(),
        file.display()
    )))
}

/// What came into a backup.
#[derive(Default)]
struct Written {
    size_bytes: u64,
    database_bytes: u64,
    images: usize,
    image_bytes: u64,
    project_keys: usize,
    /// In words, what did not.
    left_out: Vec<String>,
}

/// The snapshot comes first and decides which images belong to it.
async fn write(config: &Config, scratch: &Scratch) -> Result<Written, Refusal> {
    let secret = existing_secret(&config.data_dir)?;
    let snapshot = scratch.snapshot();
    copy_database(config, &snapshot).await?;
    let catalog = catalog_of(&snapshot).await?;
    let project_keys = catalog.project_keys.len();
    let images = images_of(catalog);
    let blobs = FileBlobs::open(&config.blob_dir).map_err(refuse)?;

    let mut writer = Writer::create(&scratch.backup())?;
    add_key(&mut writer, &Part::Secret, secret.to_vec()).await?;
    for (part, path) in keys_of(config)? {
        let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        add_key(&mut writer, &part, bytes).await?;
    }
    let mut written = Written {
        project_keys,
        ..Written::default()
    };
    for image in images.values() {
        match add_image(&mut writer, &blobs, image).await {
            Ok(()) => {
                written.images += 1;
                written.image_bytes += image.size_bytes;
            }
            Err(NotAdded::Damaged(why)) => written.left_out.push(format!("{image}: {why}")),
            Err(NotAdded::Refused(refusal)) => return Err(refusal),
        }
    }
    written.database_bytes = add_database(&mut writer, &snapshot).await?;
    written.size_bytes = writer.finish()?;
    Ok(written)
}

/// The portal's identity and, where it is its own co-signer, what that one needs to go on: without
/// its keys no device would take a release any more.
fn keys_of(config: &Config) -> Result<Vec<(Part, PathBuf)>, Refusal> {
    let identity = (Part::Identity, config.data_dir.join("keys/identity.pem"));
    let mut found = vec![identity];
    if let CoSignerAt::InProcess { dir } = &config.cosigner {
        for folder in ["", "keys", "portals", "projects"] {
            found.extend(files_in(dir, folder).map_err(|error| unreadable(dir, &error))?);
        }
    }
    found.retain(|(_, path)| path.is_file());
    Ok(found)
}

/// The co-signer's files in one of its folders that belong into a backup.
fn files_in(dir: &Path, folder: &str) -> io::Result<Vec<(Part, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(dir.join(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.strip_prefix(dir).ok().and_then(Path::to_str);
        let part = name.and_then(|name| Part::parse(&format!("cosigner/{name}")));
        found.extend(part.map(|part| (part, path.clone())));
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(format!(
        "The backup cannot be taken without {} ({error}). Run it as the user of the portal.",
        path.display()
    ))
}

async fn add_key(writer: &mut Writer, part: &Part, bytes: Vec<u8>) -> Result<(), Refusal> {
    let (length, sha256) = (bytes.len() as u64, hex::encode(Sha256::digest(&bytes)));
    let bytes = stream::iter([Ok(Bytes::from(bytes))]);
    let added = writer.add(part, length, &sha256, bytes).await;
    added.map_err(|failure| refuse_without("the portal's keys", failure))
}

/// Without these parts a backup is none.
fn refuse_without(part: &str, failure: NotAdded) -> Refusal {
    match failure {
        NotAdded::Refused(refusal) => refusal,
        NotAdded::Damaged(why) => Refusal::new(format!(
            "The backup cannot be taken without {part}: {why}. Try again."
        )),
    }
}

async fn copy_database(config: &Config, snapshot: &Path) -> Result<(), Refusal> {
    let store = StoreHandle::connect(config.database_url.expose())
        .await
        .map_err(refuse)?;
    let copied = store.snapshot_to(snapshot).await;
    store.close().await;
    copied.map_err(refuse)
}

/// An image, and the releases that are nothing without it.
struct NamedImage {
    sha256: String,
    size_bytes: u64,
    releases: Vec<String>,
}

impl fmt::Display for NamedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "image {} of {}",
            self.sha256,
            self.releases.join(" and ")
        )
    }
}

async fn catalog_of(snapshot: &Path) -> Result<CatalogRows, Refusal> {
    let store = StoreHandle::connect(&format!("sqlite:{}", snapshot.display()))
        .await
        .map_err(refuse)?;
    store.check_version().await.map_err(refuse)?;
    let rows = store.store().load_catalog(SystemClock.now_ms()).await;
    store.close().await;
    rows.map_err(refuse)
}

/// Every image that a release of the snapshot names, by its SHA-256.
fn images_of(catalog: CatalogRows) -> BTreeMap<String, NamedImage> {
    let CatalogRows {
        projects, releases, ..
    } = catalog;
    let names: HashMap<Uuid, String> = projects
        .into_iter()
        .map(|project| (project.id, project.name))
        .collect();
    let mut images = BTreeMap::new();
    for release in releases {
        let Artifact {
            sha256, size_bytes, ..
        } = release.artifact;
        let image = images.entry(sha256.clone()).or_insert_with(|| NamedImage {
            sha256,
            size_bytes: size_bytes.unsigned_abs(),
            releases: Vec::new(),
        });
        let project = names.get(&release.project_id).map_or("", String::as_str);
        image.releases.push(format!(
            "{project} {} ({})",
            release.version, release.file_name
        ));
    }
    images
}

async fn add_image(
    writer: &mut Writer,
    blobs: &FileBlobs,
    image: &NamedImage,
) -> Result<(), NotAdded> {
    let NamedImage {
        sha256, size_bytes, ..
    } = image;
    let opened = blobs.read(sha256, 0..*size_bytes).await;
    let opened = opened.map_err(|error| NotAdded::Damaged(error.to_string()))?;
    let opened = opened.ok_or_else(|| NotAdded::Damaged("it is missing".into()))?;
    let part = Part::Blob(sha256.into());
    writer.add(&part, *size_bytes, sha256, opened.bytes).await
}

/// Reads the snapshot twice, because its digest stands before its bytes.
async fn add_database(writer: &mut Writer, snapshot: &Path) -> Result<u64, Refusal> {
    let unreadable = |error: io::Error| {
        Refusal::new(format!(
            "The copy of the database cannot be read ({error})."
        ))
    };
    let (mut digest, mut size_bytes) = (Sha256::new(), 0);
    let mut bytes = read_file(snapshot).await.map_err(unreadable)?;
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(unreadable)?;
        size_bytes += chunk.len() as u64;
        digest.update(&chunk);
    }
    let sha256 = hex::encode(digest.finalize());
    let bytes = read_file(snapshot).await.map_err(unreadable)?;
    let added = writer
        .add(&Part::Database, size_bytes, &sha256, bytes)
        .await;
    added.map_err(|failure| refuse_without("the copy of the database", failure))?;
    Ok(size_bytes)
}

async fn read_file(path: &Path) -> io::Result<ReaderStream<tokio::fs::File>> {
    let file = tokio::fs::File::open(path).await?;
    Ok(ReaderStream::with_capacity(file, CHUNK_BYTES))
}

/// A folder `FILE.part` for what is not finished; it goes with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(file: &Path) -> Result<Self, Refusal> {
        let mut name = file.as_os_str().to_owned();
        name.push(".part");
        let folder = PathBuf::from(name);
        let shown = folder.display();
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => Ok(Self(folder)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Refusal::new(format!(
                "{shown} exists: another backup is writing it, or one was killed. If none runs, remove it and try again."
            ))),
            Err(error) => Err(Refusal::new(format!(
                "The folder {shown} cannot be made ({error}). Choose a folder with room that this user may write to."
            ))),
        }
    }

    fn snapshot(&self) -> PathBuf {
        self.0.join("gatehouse.db")
    }

    fn backup(&self) -> PathBuf {
        self.0.join("backup")
    }

    /// Gives the finished backup its name, to last through a power cut.
    fn publish(self, file: &Path) -> Result<(), Refusal> {
        fs::rename(self.backup(), file)
            .and_then(|()| sync_folder_of(file))
            .map_err(|error| {
                Refusal::new(format!(
                    "The backup cannot be named {} ({error}). Choose another name.",
                    file.display()
                ))
            })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} could not be removed ({error}).", self.0.display());
        }
    }
}
