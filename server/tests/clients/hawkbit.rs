//! A device built on the `hawkbit` crate; its source is in `server/tests/hawkbit-client`.

use std::fs;

use gatehouse_types::rollout::ActionState;

use crate::{
    programs::{HAWKBIT_CLIENT, command, run, told},
    world::{CONTROLLER, PROJECT, World, image},
};

pub(crate) const STORIES: [(&str, fn()); 6] = [
    ("tells_its_attributes_once", tells_attributes),
    ("installs_and_checks_all_digests", installs),
    ("goes_on_where_the_line_was_cut", goes_on),
    ("tells_why_it_failed", fails),
    ("agrees_to_stop_or_goes_on", is_cancelled),
    ("is_registered_by_its_gateway", comes_by_gateway),
];

impl World {
    fn deed(&self, deed: &str) -> std::process::Command {
        self.deed_as(CONTROLLER, "target", &self.target_token, deed)
    }

    fn deed_as(
        &self,
        controller: &str,
        kind: &str,
        token: &str,
        deed: &str,
    ) -> std::process::Command {
        let mut command = command(HAWKBIT_CLIENT);
        command.args([&self.url, PROJECT, controller, kind, token]);
        command.arg(self.path("files")).arg(deed);
        command
    }

    #[track_caller]
    fn hawkbit(&self, deed: &str) -> String {
        run(&mut self.deed(deed)).trim_end().to_owned()
    }
}

fn tells_attributes() {
    let world = World::new();
    assert!(world.hawkbit("poll").ends_with(" links attributes"));
    assert_eq!(world.hawkbit("attributes"), "told");
    assert!(world.hawkbit("poll").ends_with(" links"));
    let attributes = world.device().attributes;
    assert_eq!(attributes["hardware"], "rev 7");
    assert_eq!(attributes["site"], "roof");
}

fn installs() {
    let world = World::new();
    let new = image(300_000);
    world.publish("1.1.0", new.clone());
    assert!(world.hawkbit("poll").ends_with(" links update,attributes"));
    let line = world.hawkbit("update");
    let file = line.strip_prefix("installed ").expect("a file");
    assert!(fs::read(file).expect("the file") == new);
    let device = world.device();
    let action = device.action.expect("an action");
    assert_eq!(
        (action.state, action.detail.as_str()),
        (ActionState::Succeeded, "It runs.")
    );
    assert_eq!(device.current_version.as_deref(), Some("1.1.0"));
    assert!(world.hawkbit("poll").ends_with(" links attributes"));
}

fn goes_on() {
    let world = World::new();
    let new = image(1_000_000);
    world.publish("1.1.0", new.clone());
    world.wire.cut_after(400_000);
    let broken = world.deed("update").output().expect("starts");
    assert!(
        !broken.status.success() && world.wire.was_cut(),
        "{}",
        told(&broken)
    );
    assert_eq!(
        world.action().expect("an action").state,
        ActionState::Downloading
    );
    let line = world.hawkbit("update");
    let file = line.strip_prefix("installed ").expect("a file");
    assert!(fs::read(file).expect("the file") == new);
    let ranges = world.wire.values_of("range");
    assert!(
        matches!(ranges.as_slice(), [range] if range != "bytes=0-"),
        "{ranges:?}"
    );
    assert_eq!(
        world.action().expect("an action").state,
        ActionState::Succeeded
    );
}

fn fails() {
    let world = World::new();
    world.publish("1.1.0", image(1_000));
    let number = world.hawkbit("fail");
    let action = world.action().expect("an action");
    assert_eq!(number, format!("failed {}", action.number));
    assert_eq!(action.state, ActionState::Failed);
    assert_eq!(action.detail, "No room.\nGave up.");
    assert!(world.hawkbit("poll").ends_with(" links attributes"));
}

fn is_cancelled() {
    let world = World::new();
    world.publish("1.1.0", image(1_000));
    world.hawkbit("begin");
    world.cancel();
    assert!(world.hawkbit("poll").ends_with(" links cancel,attributes"));
    world.hawkbit("keep-on");
    assert_eq!(
        world.action().expect("an action").state,
        ActionState::Installing
    );
    assert!(world.hawkbit("poll").ends_with(" links update,attributes"));
    world.cancel();
    world.hawkbit("cancel");
    assert_eq!(
        world.action().expect("an action").state,
        ActionState::Cancelled
    );
    assert!(world.hawkbit("poll").ends_with(" links attributes"));
}

fn comes_by_gateway() {
    let world = World::new();
    world.publish("1.1.0", image(1_000));
    let token = world.gateway_token();
    let line = run(&mut world.deed_as("roof:12", "gateway", &token, "update"));
    assert!(line.starts_with("installed "), "{line}");
    let stranger = world
        .deed_as("roof:13", "gateway", "no such token", "poll")
        .output();
    let stranger = stranger.expect("starts");
    assert!(told(&stranger).contains("401"), "{}", told(&stranger));
}
