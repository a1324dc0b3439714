//! A listening portal with a project and one device of it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use gatehouse_core::{Actor, firmware::UploadTarget};
use gatehouse_server::{
    cli::Flags,
    composition::Installation,
    config::{Config, Environment},
    http::listen::{Limits, Listener},
};
use gatehouse_types::{
    firmware::{
        Device, DeviceClaims, NewDevice, NewDeviceToken, NewProject, ProjectChange, PublishRelease,
        Release,
    },
    rollout::{Action, ActionState},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};
use uuid::Uuid;

use crate::wire::Wire;

pub(crate) const PROJECT: &str = "lamp";
pub(crate) const CONTROLLER: &str = "lamp-7";
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
static SYSTEM: Actor = Actor::system();

/// The portal, its device and the line between them.
pub(crate) struct World {
    runtime: Runtime,
    installation: Installation,
    folder: TempDir,
    pub(crate) wire: Wire,
    /// Where devices find the portal.
    pub(crate) url: String,
    pub(crate) device_id: Uuid,
    pub(crate) target_token: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data_dir = folder.path().join("data").display().to_string();
        let (installation, wire, url) = runtime.block_on(listen(data_dir));
        let (device_id, target_token) = runtime.block_on(furnish(&installation));
        Self {
            runtime,
            installation,
            folder,
            wire,
            url,
            device_id,
            target_token,
        }
    }

    /// A path in a folder that goes away with the world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Uploads a release and offers it to every device.
    pub(crate) fn publish(&self, version: &str, bytes: Vec<u8>) -> Release {
        let firmware = &self.installation.portal.firmware;
        let target = UploadTarget {
            project: PROJECT,
            version,
            file_name: None,
            content_length: None,
        };
        self.runtime.block_on(async {
            let mut upload = firmware
                .begin_upload(&SYSTEM, target)
                .await
                .expect("begins");
            upload.write(bytes.into()).await.expect("takes the bytes");
            upload.finish(None).await.expect("is kept");
            let wish = PublishRelease { anyway: true };
            let published = firmware.publish(&SYSTEM, PROJECT, version, wish).await;
            published.expect("is published")
        })
    }

    /// A JWT of the device, and what it says.
    pub(crate) fn token(&self) -> (String, DeviceClaims) {
        let wish = NewDeviceToken {
            current_fw: Some("1.0.0".to_owned()),
            ..NewDeviceToken::default()
        };
        let firmware = &self.installation.portal.firmware;
        let made = firmware.create_token(&SYSTEM, PROJECT, self.device_id, &wish);
        let made = self.runtime.block_on(made).expect("a token");
        (made.token, made.payload)
    }

    pub(crate) fn revoke(&self, jti: Uuid) {
        let firmware = &self.installation.portal.firmware;
        let revoked = firmware.revoke_token(&SYSTEM, jti);
        self.runtime.block_on(revoked).expect("is revoked");
    }

    /// Makes the secret of a gateway that may register devices.
    pub(crate) fn gateway_token(&self) -> String {
        let firmware = &self.installation.portal.firmware;
        let change = ProjectChange {
            registers_unknown_devices: Some(true),
            ..ProjectChange::default()
        };
        self.runtime.block_on(async {
            let changed = firmware.change_project(&SYSTEM, PROJECT, &change).await;
            changed.expect("is changed");
            let made = firmware.create_gateway_token(&SYSTEM, PROJECT).await;
            made.expect("a token").gateway_token
        })
    }

    pub(crate) fn device(&self) -> Device {
        let firmware = &self.installation.portal.firmware;
        self.runtime.block_on(async {
            firmware.flush_progress().await.expect("writes");
            let found = firmware.device(&SYSTEM, PROJECT, self.device_id).await;
            found.expect("the device")
        })
    }

    /// What became of the newest release on the device.
    pub(crate) fn action(&self) -> Option<Action> {
        self.device().action
    }

    /// Waits until the device came so far.
    #[track_caller]
    pub(crate) fn wait_for(&self, state: ActionState) -> Action {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let action = self.action();
            match action {
                Some(action) if action.state == state => return action,
                action => assert!(Instant::now() < deadline, "no {state:?} but {action:?}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn cancel(&self) {
        let firmware = &self.installation.portal.firmware;
        let cancelled = firmware.cancel_action(&SYSTEM, PROJECT, self.device_id);
        self.runtime.block_on(cancelled).expect("is cancelled");
    }
}

async fn listen(data_dir: String) -> (Installation, Wire, String) {
    let environment: Environment = [("GATEHOUSE_DATA_DIR".to_owned(), data_dir)].into();
    let config = Config::load(&Flags::default(), &environment, |path| {
        std::fs::read_to_string(path)
    })
    .expect("a configuration that holds together");
    let installation = Installation::open(config).await.expect("opens");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let near = TcpListener::bind(any_port).await.expect("a free port");
    let url = format!("http://{}", near.local_addr().expect("an address"));
    let listener = Listener::bind(any_port, None, Limits::default())
        .await
        .expect("a free port");
    let wire = Wire::span(near, listener.address());
    let front = installation.front(&url).expect("an origin");
    tokio::spawn(listener.serve(front, std::future::pending()));
    (installation, wire, url)
}

async fn furnish(installation: &Installation) -> (Uuid, String) {
    let firmware = &installation.portal.firmware;
    for name in [PROJECT, "other"] {
        let project = NewProject {
            name: name.to_owned(),
            title: String::new(),
            description: String::new(),
            hardware: Vec::new(),
        };
        let made = firmware.create_project(&SYSTEM, &project).await;
        made.expect("a project");
    }
    // SWUpdate looks this often whether it is to stop, whatever its command line says.
    let change = ProjectChange {
        poll_s: Some(5),
        ..ProjectChange::default()
    };
    let changed = firmware.change_project(&SYSTEM, PROJECT, &change).await;
    changed.expect("is changed");
    let device = NewDevice {
        name: "Lamp in the hall".to_owned(),
        controller_id: Some(CONTROLLER.to_owned()),
        ..NewDevice::default()
    };
    let made = firmware.create_device(&SYSTEM, PROJECT, &device).await;
    let made = made.expect("a device");
    (made.device.device_id, made.target_token)
}

/// Bytes that repeat nowhere near, so that a wrong window shows.
pub(crate) fn image(size_bytes: u32) -> Vec<u8> {
    (0..size_bytes)
        .map(|place| place.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
}
