//! `gatehouse import`: the folder tree of the original Flask server becomes projects and releases.
//!
//! File names stay, so every URL that a device knows goes on to work.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use gatehouse_core::{Actor, firmware::UploadTarget};
use gatehouse_types::{
    Version,
    firmware::{NewProject, PublishRelease, ReleaseState},
    limits,
};

use super::{import_names::version_in, refuse};
use crate::{composition::Installation, config::Config, refusal::Refusal};

const READ_BYTES: usize = 256 * 1024;
/// What lies beside images and is none.
const COMPANIONS: [&str; 11] = [
    "md5", "sha1", "sha256", "txt", "md", "json", "elf", "map", "sig", "asc", "html",
];

/// An image of the tree.
struct Found {
    project: String,
    file_name: String,
    path: PathBuf,
    version: Version,
    spelled: String,
}

/// What came of the images.
#[derive(Default)]
struct Count {
    taken: usize,
    known: usize,
    left_out: usize,
}

impl Count {
    fn leave_out(&mut self, what: &Path, why: &str) {
        eprintln!("{} is left out: {why}", what.display());
        self.left_out += 1;
    }
}

/// Takes the tree in; what is there already stays as it is.
///
/// # Errors
/// When there is no such tree or some of it was left out.
pub(super) async fn import(config: Config, folder: &Path) -> Result<(), Refusal> {
    let root = firmware_folder(folder)?;
    let mut count = Count::default();
    let found = find(&root, &mut count)
        .map_err(|error| Refusal::new(format!("{} cannot be read ({error}).", root.display())))?;
    let installation = Installation::open(config).await?;
    for image in &found {
        match take(&installation, image).await {
            Ok(true) => count.taken += 1,
            Ok(false) => count.known += 1,
            Err(refusal) => count.leave_out(&image.path, &refusal.to_string()),
        }
    }
    installation.store.close().await;
    let Count {
        taken,
        known,
        left_out,
    } = count;
    println!("Took in {taken} images; {known} were there already.");
    if left_out == 0 {
        return Ok(());
    }
    Err(Refusal::new(format!(
        "{left_out} of the folder were left out; the lines above say why. Mend that and run it again: what is in stays."
    )))
}

fn firmware_folder(folder: &Path) -> Result<PathBuf, Refusal> {
    let inner = ["firmware", "www/firmware", ""];
    let mut candidates = inner.iter().map(|inner| folder.join(inner));
    candidates
        .find(|candidate| candidate.is_dir())
        .ok_or_else(|| {
            Refusal::new(format!(
                "There is no folder {}. Name the one that holds firmware/<project>/<file>.",
                folder.display()
            ))
        })
}

/// Lists the images by project, in the order of their versions.
fn find(root: &Path, count: &mut Count) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for project in sorted(root)? {
        let name = name_of(&project);
        if !project.is_dir() {
            continue;
        }
        if let Err(invalid) = limits::project_name(&name) {
            count.leave_out(&project, &invalid.detail);
            continue;
        }
        for path in sorted(&project)? {
            found.extend(look_at(&name, path, count)?);
        }
    }
    found.sort_by(|one, other| {
        let by_project = one.project.cmp(&other.project);
        by_project.then_with(|| one.version.cmp(&other.version))
    });
    Ok(found)
}

fn look_at(project: &str, path: PathBuf, count: &mut Count) -> io::Result<Option<Found>> {
    let file_name = name_of(&path);
    let is_companion = path.extension().is_some_and(|kind| {
        let kind = kind.to_string_lossy().to_ascii_lowercase();
        COMPANIONS.contains(&kind.as_str())
    });
    if is_companion || file_name.starts_with('.') {
        return Ok(None);
    }
    // A link may lead anywhere on this machine.
    if !path.symlink_metadata()?.is_file() {
        count.leave_out(&path, "it is no plain file.");
        return Ok(None);
    }
    let spelled = version_in(&file_name);
    let Some((spelled, version)) =
        spelled.and_then(|text| Some((text.clone(), text.parse().ok()?)))
    else {
        count.leave_out(&path, "its name holds no version, such as lamp-1.2.3.bin.");
        return Ok(None);
    };
    Ok(Some(Found {
        project: project.to_owned(),
        file_name,
        path,
        version,
        spelled,
    }))
}

/// Makes one image a published release; `false` when it is one already.
async fn take(installation: &Installation, image: &Found) -> Result<bool, Refusal> {
    let (actor, firmware) = (Actor::system(), &installation.portal.firmware);
    if firmware.catalog().project(&image.project).is_err() {
        let new = NewProject {
            name: image.project.clone(),
            title: String::new(),
            description: String::new(),
            hardware: Vec::new(),
        };
        firmware
            .create_project(&actor, &new)
            .await
            .map_err(refuse)?;
    }
    let mut file = File::open(&image.path).map_err(refuse)?;
    let target = UploadTarget {
        project: &image.project,
        version: &image.spelled,
        file_name: Some(&image.file_name),
        content_length: Some(file.metadata().map_err(refuse)?.len()),
    };
    let upload = firmware.begin_upload(&actor, target).await;
    let mut upload = upload.map_err(refuse)?;
    while let Some(chunk) = next_chunk(&mut file).map_err(refuse)? {
        upload.write(chunk).await.map_err(refuse)?;
    }
    let (release, is_new) = upload.finish(None).await.map_err(refuse)?;
    if release.state == ReleaseState::Draft {
        // The original served it, whatever it calls itself inside.
        let wish = PublishRelease { anyway: true };
        let published = firmware.publish(&actor, &image.project, &image.spelled, wish);
        published.await.map_err(refuse)?;
    }
    println!(
        "{}: {} is release {}.",
        image.project, image.file_name, release.version
    );
    Ok(is_new)
}

fn next_chunk(file: &mut File) -> io::Result<Option<Bytes>> {
    let mut chunk = Vec::with_capacity(READ_BYTES);
    file.take(READ_BYTES as u64).read_to_end(&mut chunk)?;
    Ok((!chunk.is_empty()).then(|| chunk.into()))
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
