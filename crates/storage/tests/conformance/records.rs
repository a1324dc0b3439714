//! Ordinary rows to begin a story with.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use gatehouse_core::ports::{
    Store,
    access::{AccessSessionRecord, LiveCounts, RouterRecord, ServiceRecord},
    firmware::{Artifact, DeviceRecord, DeviceTokenRecord, ProjectRecord, ReleaseRecord},
    fleet::{ActionRecord, Progress},
    identity::{SignInRecord, UserRecord},
    project_keys::ProjectKeyRecord,
};
use gatehouse_types::{
    access::{ServiceKind, SessionState, Transport},
    account::{LoginKind, Role},
    firmware::ReleaseState,
    rollout::{ActionState, Approval, Channel, Rollout},
};
use uuid::Uuid;

pub(crate) const NOW_MS: i64 = 1_763_719_200_123;
pub(crate) const MINUTE_MS: i64 = 60_000;
/// Room for as many sessions as a story likes.
pub(crate) const ROOM: LiveCounts = LiveCounts {
    of_user: i64::MAX,
    of_service: i64::MAX,
    of_address: i64::MAX,
};

/// Rises with every call, as the portal's own ids do.
pub(crate) fn id() -> Uuid {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u128(0x019a_a5e0_0000_7000_8000_0000_0000_0000 | u128::from(number))
}

pub(crate) fn user(email: &str, role: Role) -> UserRecord {
    UserRecord {
        id: id(),
        email: email.to_uppercase(),
        email_key: email.to_lowercase(),
        role,
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
        created_at_ms: NOW_MS,
        disabled_at_ms: None,
    }
}

pub(crate) fn sign_in(user_id: Uuid, secret: u8) -> SignInRecord {
    SignInRecord {
        id: id(),
        token_hash: [secret; 32],
        user_id,
        kind: LoginKind::Browser,
        created_at_ms: NOW_MS,
        last_seen_at_ms: NOW_MS,
        expires_at_ms: NOW_MS + 600 * MINUTE_MS,
        idle_ms: 60 * MINUTE_MS,
        ip: Some("203.0.113.7".parse().unwrap()),
        user_agent: "Mozilla/5.0 (X11; Linux)".into(),
    }
}

pub(crate) fn router(name: &str) -> RouterRecord {
    RouterRecord {
        id: id(),
        name: name.into(),
        address: "router.example:9999".into(),
        api_key_sealed: vec![1, 0, 255],
        aes_key_sealed: vec![2; 60],
        cert_sha256: [7; 32],
        protocol: 2,
        created_at_ms: NOW_MS,
    }
}

pub(crate) fn service(router_id: Uuid, name: &str, public_port: u16) -> ServiceRecord {
    ServiceRecord {
        id: id(),
        router_id,
        name: name.into(),
        description: "Films & music".into(),
        icon: "media".into(),
        lan_ip: "192.168.50.10".parse().unwrap(),
        lan_port: 8096,
        public_port,
        transport: Transport::Tcp,
        kind: ServiceKind::Web,
        url_path: "http:/web".into(),
        default_minutes: 30,
        max_minutes: 240,
        wake: None,
        created_at_ms: NOW_MS,
    }
}

pub(crate) fn session(
    service: &ServiceRecord,
    user_id: Uuid,
    client_ip: &str,
) -> AccessSessionRecord {
    AccessSessionRecord {
        id: id(),
        service_id: service.id,
        router_id: service.router_id,
        user_id,
        service_name: service.name.clone(),
        state: SessionState::Pending,
        step: None,
        client_ip: client_ip.parse().unwrap(),
        host: "router.example".into(),
        public_port: service.public_port,
        lan_ip: service.lan_ip,
        lan_port: service.lan_port,
        transport: service.transport,
        url: Some("http://router.example:18096/web".into()),
        requested_at_ms: NOW_MS,
        opened_at_ms: None,
        expires_at_ms: NOW_MS + 30 * MINUTE_MS,
        finished_at_ms: None,
        end_reason: None,
        traffic_bytes: None,
        guest: None,
    }
}

pub(crate) fn project(name: &str) -> ProjectRecord {
    ProjectRecord {
        id: id(),
        name: name.into(),
        title: "Garden sensors".into(),
        description: "They count slugs.".into(),
        hardware: vec!["esp32s3".into(), "esp32c6".into()],
        two_person_approval: false,
        registers_unknown_devices: false,
        gateway_token_hash: None,
        quota_bytes: None,
        poll_s: 3600,
        revision: 0,
        created_at_ms: NOW_MS,
    }
}

pub(crate) fn project_key(project_id: Uuid) -> ProjectKeyRecord {
    ProjectKeyRecord {
        id: id(),
        project_id,
        public_pem: "-----BEGIN PUBLIC KEY-----\n".into(),
        sealed_private: vec![0, 255, 7],
        created_at_ms: NOW_MS,
    }
}

pub(crate) fn artifact(content: u8) -> Artifact {
    Artifact {
        sha256: hex::encode([content; 32]),
        sha1: hex::encode([content; 20]),
        md5: hex::encode([content; 16]),
        crc32: Some(u32::MAX - u32::from(content)),
        size_bytes: i64::from(content),
    }
}

pub(crate) fn release(project_id: Uuid, version: &str, content: u8) -> ReleaseRecord {
    ReleaseRecord {
        id: id(),
        project_id,
        version: version.into(),
        version_key: version.into(),
        file_name: format!("image-{version}.bin"),
        artifact: artifact(content),
        state: ReleaseState::Draft,
        notes: String::new(),
        number: 1,
        release_counter: None,
        image: None,
        channel: Channel::Stable,
        min_version: None,
        allow_downgrade: false,
        rollout: Rollout::default(),
        approval: Approval::default(),
        revision: 0,
        created_at_ms: NOW_MS,
        published_at_ms: None,
        withdrawn_at_ms: None,
    }
}

pub(crate) fn device(project_id: Uuid) -> DeviceRecord {
    DeviceRecord {
        project_id,
        device_id: id(),
        name: "Under the oak".into(),
        controller_id: None,
        group_name: "early".into(),
        channel: Channel::Stable,
        attributes: BTreeMap::from([("place".into(), "garden".into())]),
        target_token_hash: Some([9; 32]),
        current_version: None,
        last_state: None,
        action: None,
        last_seen_at_ms: None,
        created_at_ms: NOW_MS,
    }
}

/// A device was heard of; the rest is for the story to fill in.
pub(crate) fn heard(device: &DeviceRecord, at_ms: i64) -> Progress {
    Progress {
        project_id: device.project_id,
        device_id: device.device_id,
        at_ms: Some(at_ms),
        current_version: None,
        actions: Vec::new(),
        events: Vec::new(),
    }
}

/// A first attempt that came to this state at this moment.
pub(crate) fn action(
    device: &DeviceRecord,
    release_id: Uuid,
    state: ActionState,
    updated_at_ms: i64,
) -> ActionRecord {
    ActionRecord {
        project_id: device.project_id,
        device_id: device.device_id,
        release_id,
        attempt: 1,
        state,
        from_version: Some("1.0.0".into()),
        detail: "at 40 % 🦉".into(),
        progress_percent: None,
        created_at_ms: NOW_MS,
        updated_at_ms,
        retry_at_ms: None,
        deadline_at_ms: None,
        finished_at_ms: state.is_finished().then_some(updated_at_ms),
    }
}

/// The device came to this state with a release, as one word of it.
pub(crate) fn came_to(
    device: &DeviceRecord,
    release_id: Uuid,
    state: ActionState,
    at_ms: i64,
) -> Progress {
    Progress {
        actions: vec![action(device, release_id, state, at_ms)],
        ..heard(device, at_ms)
    }
}

pub(crate) fn token(project_id: Uuid, device_id: Uuid) -> DeviceTokenRecord {
    DeviceTokenRecord {
        jti: id(),
        project_id,
        device_id,
        fw_version: "1.0.0".into(),
        issued_at_ms: NOW_MS,
        expires_at_ms: NOW_MS + 30 * MINUTE_MS,
        revoked_at_ms: None,
    }
}

pub(crate) async fn some_owner(store: &Arc<dyn Store>, email: &str) -> Uuid {
    let owner = user(email, Role::Owner);
    store.insert_user(&owner).await.unwrap();
    owner.id
}

pub(crate) async fn some_service(store: &Arc<dyn Store>) -> ServiceRecord {
    let router = router(&format!("router {}", id()));
    store.insert_router(&router).await.unwrap();
    let service = service(router.id, "Films", 18096);
    store.insert_service(&service).await.unwrap();
    service
}

pub(crate) async fn some_project(store: &Arc<dyn Store>) -> Uuid {
    let project = project(&format!("project-{}", id()));
    let key = project_key(project.id);
    store.insert_project(&project, &key).await.unwrap();
    project.id
}

pub(crate) async fn some_device(store: &Arc<dyn Store>, project_id: Uuid) -> DeviceRecord {
    let device = device(project_id);
    store.insert_device(&device).await.unwrap();
    device
}

pub(crate) async fn some_release(
    store: &Arc<dyn Store>,
    project_id: Uuid,
    version: &str,
) -> ReleaseRecord {
    let release = release(project_id, version, 1);
    store.insert_release(&release).await.unwrap();
    release
}
