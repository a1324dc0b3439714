//! Debian's RAUC 1.8, which fetches a bundle of the plain format whole before it looks at it.
//!
//! It reads and verifies here what `rauc install` reads and verifies. The installing itself needs
//! its service on a system bus and slots of a real machine, and polling came with 1.15.

use std::fs;

use crate::{
    programs::{command, run, told},
    swu::Keys,
    world::{PROJECT, World, image},
};

pub(crate) const STORIES: [(&str, fn()); 2] = [
    ("fetches_and_verifies_a_bundle_from_its_url", verifies),
    ("says_so_when_it_may_not_fetch", may_not),
];

struct Board {
    world: World,
    keys: Keys,
    token: String,
    file_name: String,
}

impl Board {
    fn new() -> Self {
        let world = World::new();
        let keys = Keys::make(&world.path("keys"));
        let release = world.publish("1.1.0", bundle(&world, &keys));
        let (token, _) = world.token();
        Self {
            world,
            keys,
            token,
            file_name: release.file_name,
        }
    }

    fn info(&self, path: &str, token: &str) -> std::process::Command {
        let mut rauc = command("rauc");
        rauc.arg("--keyring")
            .arg(self.keys.certificate())
            .args(["info", "--output-format=shell"])
            .arg(format!("{}{path}?token={token}", self.world.url));
        rauc
    }
}

fn bundle(world: &World, keys: &Keys) -> Vec<u8> {
    let content = world.path("content");
    fs::create_dir(&content).expect("a folder");
    fs::write(content.join("rootfs.img"), image(200_000)).expect("writes");
    let manifest = "[update]\ncompatible=lamp-board\nversion=1.1.0\n\n[bundle]\nformat=plain\n\n\
                    [image.rootfs]\nfilename=rootfs.img\n";
    fs::write(content.join("manifest.raucm"), manifest).expect("writes");
    let bundle = world.path("lamp.raucb");
    run(command("rauc")
        .arg("--cert")
        .arg(keys.certificate())
        .arg("--key")
        .arg(keys.key())
        .arg("bundle")
        .arg(&content)
        .arg(&bundle));
    fs::read(bundle).expect("a bundle")
}

fn verifies() {
    let board = Board::new();
    let file = format!("/firmware/{PROJECT}/{}", board.file_name);
    for path in [file, format!("/ota/rauc/{PROJECT}")] {
        let said = run(&mut board.info(&path, &board.token));
        assert!(said.contains("RAUC_MF_COMPATIBLE='lamp-board'"), "{said}");
        assert!(said.contains("RAUC_MF_VERSION='1.1.0'"), "{said}");
        assert!(said.contains("RAUC_IMAGE_SIZE_0=200000"), "{said}");
    }
}

fn may_not() {
    let board = Board::new();
    let path = format!("/ota/rauc/{PROJECT}");
    let refused = board.info(&path, "no.such.token").output().expect("starts");
    assert!(!refused.status.success(), "{}", told(&refused));
}
