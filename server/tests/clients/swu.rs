//! Keys of a vendor, and updates for SWUpdate signed with them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::programs::{command, run};

/// A signing key with its certificate, in a folder.
pub(crate) struct Keys {
    folder: PathBuf,
}

impl Keys {
    pub(crate) fn make(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        let keys = Self {
            folder: folder.to_owned(),
        };
        run(command("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args(["-subj", "/CN=vendor.example"])
            .args(["-addext", "extendedKeyUsage=emailProtection"])
            .args(["-addext", "keyUsage=digitalSignature"])
            .arg("-keyout")
            .arg(keys.key())
            .arg("-out")
            .arg(keys.certificate()));
        keys
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// An update that writes `image` to the file `target`, and promises `promised` as its content.
    pub(crate) fn swu(&self, image: &[u8], promised: &[u8], target: &Path) -> Vec<u8> {
        let description = description(promised, target);
        let unsigned = self.folder.join("sw-description");
        let signature = self.folder.join("sw-description.sig");
        fs::write(&unsigned, &description).expect("writes");
        run(command("openssl")
            .args(["cms", "-sign", "-binary", "-nosmimecap", "-outform", "DER"])
            .arg("-in")
            .arg(&unsigned)
            .arg("-out")
            .arg(&signature)
            .arg("-signer")
            .arg(self.certificate())
            .arg("-inkey")
            .arg(self.key()));
        let signature = fs::read(signature).expect("a signature");
        [
            entry("sw-description", description.as_bytes()),
            entry("sw-description.sig", &signature),
            entry("image.bin", image),
            entry("TRAILER!!!", b""),
        ]
        .concat()
    }
}

fn description(promised: &[u8], target: &Path) -> String {
    format!(
        "software =\n{{\n  version = \"1.1.0\";\n  hardware-compatibility: [ \"1.0\" ];\n  \
         images: ({{\n    filename = \"image.bin\";\n    type = \"raw\";\n    device = \"{}\";\n    \
         sha256 = \"{}\";\n  }});\n}}\n",
        target.display(),
        hex::encode(Sha256::digest(promised))
    )
}

/// A file in a cpio archive of the kind `newc`.
fn entry(name: &str, content: &[u8]) -> Vec<u8> {
    const REGULAR_FILE: usize = 0o100_644;
    let (length, name_length) = (content.len(), name.len() + 1);
    let mut bytes = b"070701".to_vec();
    let fields = [
        1,
        REGULAR_FILE,
        0,
        0,
        1,
        0,
        length,
        0,
        0,
        0,
        0,
        name_length,
        0,
    ];
    for field in fields {
        bytes.extend(format!("{field:08x}").bytes());
    }
    bytes.extend(name.bytes().chain([0]));
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
