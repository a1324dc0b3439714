//! A device that does one thing a run, by the `hawkbit` crate alone, and says in one line what it met.
//!
//! `gatehouse-hawkbit-client <url> <tenant> <controller> <target|gateway> <token> <folder> <deed>`

use std::{
    collections::BTreeMap, env, error::Error, path::Path, process::ExitCode, time::Duration,
};

use hawkbit::ddi::{Client, ClientAuthorization, Execution, Finished, Mode, Reply, Update};
use serde::Serialize;

/// hawkBit's own form of "so many steps of so many".
#[derive(Serialize)]
struct Progress {
    cnt: u32,
    of: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match perform(&words).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn perform(words: &[String]) -> Result<String, Box<dyn Error>> {
    let [url, tenant, controller, kind, token, folder, deed] = words else {
        return Err("seven words are needed, see the first lines of the source".into());
    };
    let authorization = match kind.as_str() {
        "target" => ClientAuthorization::TargetToken(token.clone()),
        "gateway" => ClientAuthorization::GatewayToken(token.clone()),
        _ => return Err("a token is a target's or a gateway's".into()),
    };
    let patience = Some(Duration::from_secs(20));
    let client = Client::new(url, tenant, controller, authorization, None, None, patience)?;
    let reply = client.poll().await?;
    match deed.as_str() {
        "poll" => Ok(describe(&reply)?),
        "attributes" => tell_attributes(&reply).await,
        "begin" => begin(&reply).await,
        "update" => update(&reply, Path::new(folder)).await,
        "fail" => fail(&reply).await,
        "cancel" => answer_cancel(&reply, Execution::Closed, Finished::Success).await,
        "keep-on" => answer_cancel(&reply, Execution::Rejected, Finished::None).await,
        _ => Err("this deed is not known".into()),
    }
}

fn describe(reply: &Reply) -> Result<String, hawkbit::ddi::Error> {
    let links = [
        ("update", reply.update().is_some()),
        ("cancel", reply.cancel_action().is_some()),
        ("attributes", reply.config_data_request().is_some()),
        ("confirmation", reply.confirmation_base().is_some()),
    ];
    let names: Vec<&str> = links
        .iter()
        .filter_map(|(name, is_there)| is_there.then_some(*name))
        .collect();
    let pause_s = reply.polling_sleep()?.as_secs();
    Ok(format!("pause {pause_s} links {}", names.join(",")))
}

async fn tell_attributes(reply: &Reply) -> Result<String, Box<dyn Error>> {
    let request = reply
        .config_data_request()
        .ok_or("no attributes are asked for")?;
    let data = BTreeMap::from([("hardware", "rev 7"), ("site", "roof")]);
    request
        .upload(
            Execution::Closed,
            Finished::Success,
            Some(Mode::Merge),
            data,
            vec![],
        )
        .await?;
    Ok("told".to_owned())
}

async fn offered(reply: &Reply) -> Result<Update, Box<dyn Error>> {
    let update = reply.update().ok_or("there is no update")?;
    Ok(update.fetch().await?)
}

async fn begin(reply: &Reply) -> Result<String, Box<dyn Error>> {
    let update = offered(reply).await?;
    update
        .send_feedback(Execution::Proceeding, Finished::None, vec!["It begins."])
        .await?;
    Ok(format!("began {}", update.action_id()))
}

/// Fetches every artifact, goes on where an earlier run was cut off, checks all digests, reports.
async fn update(reply: &Reply, folder: &Path) -> Result<String, Box<dyn Error>> {
    let update = offered(reply).await?;
    update
        .send_feedback(Execution::Download, Finished::None, vec![])
        .await?;
    let artifacts = update.download(folder).await?;
    let mut files = Vec::new();
    for artifact in &artifacts {
        artifact.check_sha256().await?;
        artifact.check_sha1().await?;
        artifact.check_md5().await?;
        files.push(artifact.file().display().to_string());
    }
    let half = Progress { cnt: 1, of: 2 };
    update
        .send_feedback_with_progress(
            Execution::Proceeding,
            Finished::None,
            half,
            vec!["Writing."],
        )
        .await?;
    update
        .send_feedback(Execution::Closed, Finished::Success, vec!["It runs."])
        .await?;
    Ok(format!("installed {}", files.join(",")))
}

async fn fail(reply: &Reply) -> Result<String, Box<dyn Error>> {
    let update = offered(reply).await?;
    update
        .send_feedback(
            Execution::Closed,
            Finished::Failure,
            vec!["No room.", "Gave up."],
        )
        .await?;
    Ok(format!("failed {}", update.action_id()))
}

async fn answer_cancel(
    reply: &Reply,
    execution: Execution,
    finished: Finished,
) -> Result<String, Box<dyn Error>> {
    let action = reply.cancel_action().ok_or("nothing is to be cancelled")?;
    action
        .send_feedback(execution, finished, vec!["Heard."])
        .await?;
    Ok(format!(
        "answered {}",
        action.id().await.unwrap_or_default()
    ))
}
