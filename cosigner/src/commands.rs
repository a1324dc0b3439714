//! What each subcommand does.

mod run;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gatehouse_cosigner::{
    CoSigner, Portal, ProjectKeys, Projects, Refused, Release, Star, TrustedPortal,
};
use uuid::Uuid;

use crate::cli::{Approver, Cli, Command, Last, Trust};
use crate::console::{new_password, password, say};
use crate::system::{fill, now_ms};

/// Does what the command line says.
pub(crate) fn perform(cli: Cli) -> Result<(), String> {
    let cosigner = open(&cli.dir)?;
    match cli.command {
        Command::Run(how) => run::run(cosigner, &how),
        Command::Trust(with) => trust(&cosigner, with),
        Command::Revoke { server_id } => {
            let name = cosigner.revoke(server_id, now_ms()).map_err(sentence)?;
            say(&format!("{name} is trusted no more.\n"))
        }
        Command::Portals => portals(&cosigner),
        Command::Pending => pending(&cosigner),
        Command::Approver {
            command: Approver::Add { name, password },
        } => {
            let password = new_password(password.file.as_deref())?;
            cosigner.add_approver(&name, &password, now_ms())?;
            say(&format!("{name} may approve releases now.\n"))
        }
        Command::Approve {
            release,
            name,
            password: with,
        } => {
            let (project_id, counter) = (release.project_id, release.release_counter);
            show_waiting(&cosigner, project_id, counter)?;
            let password = password(with.file.as_deref())?;
            cosigner.approve(project_id, counter, &name, &password, now_ms())?;
            say("Approved. It is signed when the portal asks again.\n")
        }
        Command::Reject { release } => {
            let (project_id, counter) = (release.project_id, release.release_counter);
            let rejected = cosigner.reject(project_id, counter, now_ms())?;
            say(&format!("Forgotten: {}", words_of(counter, &rejected)))
        }
        Command::Keys { project_id } => show_keys(cosigner.keys(project_id)),
        Command::Rotate { project_id } => show_keys(cosigner.rotate(project_id, now_ms())),
        Command::Retire { project_id } => show_keys(cosigner.retire(project_id, now_ms())),
        Command::Forget { project_id } => {
            let highest = cosigner.forget(project_id, now_ms()).map_err(sentence)?;
            say(&format!(
                "Forgotten, with {highest} as the highest release counter.\n"
            ))
        }
        Command::Audit(Last { last }) => show_lines(cosigner.audit_lines(last)),
        Command::Requests(Last { last }) => show_lines(cosigner.request_lines(last)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn sentence(refused: Refused) -> String {
    refused.to_string()
}

/// What another user writes here the service could not read.
fn open(dir: &Path) -> Result<CoSigner, String> {
    let owner = fs::metadata(dir).map(|folder| folder.uid());
    let us = fs::metadata("/proc/self").map(|process| process.uid());
    if let (Ok(owner), Ok(us)) = (owner, us)
        && owner != us
    {
        return Err(format!(
            "The folder {} belongs to another user. Run this as that user: sudo -u '#{owner}' gatehouse-cosigner …",
            dir.display()
        ));
    }
    CoSigner::open(dir, fill).map_err(|error| error.to_string())
}

fn trust(cosigner: &CoSigner, with: Trust) -> Result<(), String> {
    let key_pem = fs::read_to_string(&with.key)
        .map_err(|error| format!("The key {} cannot be read ({error}).", with.key.display()))?;
    let projects = if with.projects.is_empty() {
        Projects::Any(Star::Star)
    } else {
        Projects::These(with.projects.into_iter().collect())
    };
    let portal = Portal {
        name: with.name,
        key_pem,
        projects,
        hours: with.hours,
        per_hour: with.per_hour,
        needs_approval: with.approval,
        older_releases: with.older_releases,
        plain_messages: with.plain_messages,
        trusted_at_ms: now_ms(),
        revoked_at_ms: None,
    };
    let server_id = cosigner.trust(&portal)?;
    say(&format!(
        "{} is trusted now. Its server id is {server_id}\n",
        portal.name
    ))
}

fn portals(cosigner: &CoSigner) -> Result<(), String> {
    let portals = cosigner.portals().map_err(sentence)?;
    if portals.is_empty() {
        return say(
            "No portal is trusted. Add one with `gatehouse-cosigner trust NAME --key PEM_FILE`.\n",
        );
    }
    say(&portals.iter().map(line_of).collect::<String>())
}

fn line_of(known: &TrustedPortal) -> String {
    let TrustedPortal { server_id, portal } = known;
    let mut line = format!("{server_id}  {}: ", portal.name);
    if portal.revoked_at_ms.is_some() {
        line.push_str("REVOKED, ");
    }
    let _ = write!(line, "{}", portal.projects);
    if let Some(hours) = portal.hours {
        let _ = write!(line, ", {hours} UTC");
    }
    if let Some(per_hour) = portal.per_hour {
        let _ = write!(line, ", {per_hour} an hour");
    }
    let also = [
        (portal.needs_approval, ", with approval"),
        (portal.older_releases, ", older releases too"),
        (portal.plain_messages, ", plain messages too"),
    ];
    line.extend(
        also.iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, words)| *words),
    );
    line.push('\n');
    line
}

fn pending(cosigner: &CoSigner) -> Result<(), String> {
    let waiting = cosigner.pending().map_err(sentence)?;
    if waiting.is_empty() {
        return say("No release waits for approval.\n");
    }
    let lines = waiting.iter().map(|(project_id, counter, wish)| {
        format!(
            "{project_id} {counter}: {}",
            words_of(*counter, &wish.release)
        )
    });
    say(&lines.collect::<String>())
}

fn show_waiting(cosigner: &CoSigner, project_id: Uuid, counter: u64) -> Result<(), String> {
    let waiting = cosigner.pending().map_err(sentence)?;
    let wanted = waiting
        .iter()
        .find(|(project, of, _)| (*project, *of) == (project_id, counter));
    match wanted {
        Some((_, _, wish)) => say(&words_of(counter, &wish.release)),
        None => Ok(()),
    }
}

fn words_of(counter: u64, release: &Release) -> String {
    let mut text = format!(
        "{} {} (release counter {counter}, {} bytes), sha256 {}, for {}",
        release.project,
        release.version,
        release.size_bytes,
        release.sha256,
        match release.hardware.as_slice() {
            [] => "any hardware".to_owned(),
            some => some.join(", "),
        },
    );
    if let Some(min_version) = &release.min_version {
        let _ = write!(text, ", from version {min_version} on");
    }
    if release.allow_downgrade {
        text.push_str(", DEVICES MAY GO BACK TO IT");
    }
    // A portal chose these words: nothing in them may move the cursor or end the line.
    format!("{}\n", text.escape_debug())
}

fn show_lines(lines: Result<Vec<String>, Refused>) -> Result<(), String> {
    let mut lines = lines.map_err(sentence)?;
    lines.push(String::new());
    say(&lines.join("\n"))
}

fn show_keys(keys: Result<ProjectKeys, Refused>) -> Result<(), String> {
    let keys = keys.map_err(sentence)?;
    let mut text = keys.current.to_pem();
    if let Some(next) = keys.next {
        let _ = write!(text, "next, after `retire`:\n{}", next.to_pem());
    }
    say(&text)
}
