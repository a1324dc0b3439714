//! Installing what is missing, and nothing else: each thing is announced in one line with its reason.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, find};
use crate::python::Environment;
use crate::step::{note, step};
use crate::{npm, postgres, wasm};

/// Debian packages that go together, and what they are for.
struct Need {
    packages: &'static [&'static str],
    reason: &'static str,
}

const WASM_COMPILER: Need = Need {
    packages: &wasm::DEBIAN_PACKAGES,
    reason: "Debian's Rust compiler and linker, because rustup cannot bring the WebAssembly target here",
};
const CHROMIUM: Need = Need {
    packages: &["chromium"],
    reason: "the browser that the browser tests drive",
};
const NODE: Need = Need {
    packages: &["nodejs", "npm"],
    reason: "Playwright, which drives that browser, and wasm-opt run on Node.js",
};
const POSTGRES: Need = Need {
    packages: &["postgresql"],
    reason: "storage is tested on SQLite and on PostgreSQL; the tests start one of their own in a temporary folder",
};
const CPP_COMPILER: Need = Need {
    packages: &["g++"],
    reason: "the fuzzer that tries the router link is built from C++",
};
const FIREWALL: Need = Need {
    packages: &[
        "nftables",
        "iptables",
        "conntrack",
        "iproute2",
        "util-linux",
    ],
    reason: "the router daemon is tested with the kernel's packet filter, in network namespaces of its own",
};
const CLIENTS: Need = Need {
    packages: &["swupdate", "rauc", "squashfs-tools", "openssl", "curl"],
    reason: "programs that devices in the field run, which are tried against the portal",
};
const PROXIES: Need = Need {
    packages: &[
        "nginx",
        "apache2-bin",
        "libapache2-mod-xsendfile",
        "haproxy",
    ],
    reason: "several portals are tested behind each of these, with the configurations in deploy/proxies",
};
const ESPTOOL: Environment = Environment {
    name: "esptool",
    requirements: "crates/core/tests/esptool/requirements.txt",
    reason: "the vendor's reader of ESP images, which ours is compared with",
};
const MANIFEST_EXAMPLES: Need = Need {
    packages: &["gcc", "libc6-dev", "libssl-dev"],
    reason: "the example in C that checks a release manifest is compiled and tried",
};
const MANIFEST_PYTHON: Environment = Environment {
    name: "manifest",
    requirements: "docs/devices/requirements.txt",
    reason: "the example in Python that checks a release manifest is tried",
};
const ONEID: Environment = Environment {
    name: "oneid",
    requirements: "server/tests/clients/oneid/requirements.txt",
    reason: "the original's SDK, which judges our manifests and our co-signer",
};
/// A header of OpenSSL 3, as Debian has it.
const OPENSSL_HEADER: &str = "/usr/include/openssl/core_names.h";
/// Programs of those packages, which are not in the `PATH` of every user.
const FIREWALL_PROGRAMS: [&str; 5] = ["nft", "iptables", "conntrack", "ip", "unshare"];
const CLIENT_PROGRAMS: [&str; 5] = ["swupdate", "rauc", "mksquashfs", "openssl", "curl"];
const PROXY_PROGRAMS: [&str; 3] = ["nginx", "apache2", "haproxy"];
/// A device built on a crate that cannot be a dependency of the portal's own tests.
const HAWKBIT_CLIENT: &str = "server/tests/hawkbit-client/Cargo.toml";

/// Installs what building needs: a compiler for WebAssembly, and wasm-opt where npm is there.
///
/// # Errors
/// When something is missing and cannot be installed; the message says what to do by hand.
pub(crate) fn for_building() -> Result<()> {
    install(&missing_for_building()?)?;
    install_wasm_opt()
}

/// Installs what building and every test need.
///
/// # Errors
/// As [`for_building`].
pub(crate) fn for_testing() -> Result<()> {
    let mut needs = missing_for_building()?;
    if find("npm").is_none() {
        needs.push(NODE);
    }
    if find("c++").is_none() {
        needs.push(CPP_COMPILER);
    }
    if postgres::is_needed_and_missing() {
        needs.push(POSTGRES);
    }
    install(&needs)?;
    install_for_some_tests(
        FIREWALL,
        &FIREWALL_PROGRAMS,
        "the router daemon's network tests",
    );
    install_for_some_tests(CLIENTS, &CLIENT_PROGRAMS, "the tests with those programs");
    install_for_some_tests(PROXIES, &PROXY_PROGRAMS, "the tests behind a proxy");
    build_hawkbit_client();
    install_manifest_examples();
    install_oneid();
    install_esptool();
    install_wasm_opt()?;
    npm::install("end2end", "Playwright and axe for the browser tests")?;
    install_browser()
}

/// The tests that need them say so themselves and count as skipped.
fn install_for_some_tests(need: Need, programs: &[&str], tests: &str) {
    if programs.iter().all(|program| is_installed(program)) {
        return;
    }
    if let Err(error) = install(&[need]) {
        note(&format!("{error:#}; {tests} are skipped"));
    }
}

/// The tests that need it say so themselves and count as skipped.
fn build_hawkbit_client() {
    let build = step("compiling a device that speaks hawkBit", || {
        let mut cargo = process::cargo();
        process::run(cargo.args(["build", "--locked", "--manifest-path", HAWKBIT_CLIENT]))
    });
    if let Err(error) = build {
        note(&format!(
            "{error:#}; the tests with the hawkbit crate are skipped"
        ));
    }
}

/// The tests that need them say so themselves and count as skipped.
fn install_manifest_examples() {
    let compiles = find("cc").is_some() && Path::new(OPENSSL_HEADER).exists();
    let compiler = if compiles {
        Ok(())
    } else {
        install(&[MANIFEST_EXAMPLES])
    };
    for missing in [compiler, MANIFEST_PYTHON.install()] {
        if let Err(error) = missing {
            note(&format!(
                "{error:#}; an example that checks release manifests is not tried"
            ));
        }
    }
}

/// The tests that need it say so themselves and count as skipped.
fn install_oneid() {
    if let Err(error) = ONEID.install() {
        note(&format!(
            "{error:#}; the tests with the original's SDK are skipped"
        ));
    }
}

/// The tests that need it say so themselves and count as skipped.
fn install_esptool() {
    if let Err(error) = ESPTOOL.install() {
        note(&format!(
            "{error:#}; our reading of ESP images is not compared with the vendor's"
        ));
    }
}

/// Debian's Chromium, or Playwright's own where apt has none (Ubuntu has it as a snap only).
fn install_browser() -> Result<()> {
    if chromium().is_some() || npm::has_playwright_browser() {
        return Ok(());
    }
    if find("apt-get").is_some() {
        match install(&[CHROMIUM]) {
            Ok(()) => return Ok(()),
            Err(error) => note(&format!("{error:#}; Playwright brings its own instead")),
        }
    }
    npm::install_playwright_browser()
}

/// Installs Debian packages for a command that `program` provides, when it is missing.
///
/// # Errors
/// When they cannot be installed.
pub(crate) fn tool(
    program: &str,
    packages: &'static [&'static str],
    reason: &'static str,
) -> Result<()> {
    if is_installed(program) {
        return Ok(());
    }
    install(&[Need { packages, reason }])
}

/// Tells whether a program is there, also where only root looks for it.
fn is_installed(program: &str) -> bool {
    find(program).is_some() || Path::new("/usr/sbin").join(program).exists()
}

/// Debian's Chromium, which Playwright is pointed to.
pub(crate) fn chromium() -> Option<std::path::PathBuf> {
    find("chromium")
}

fn missing_for_building() -> Result<Vec<Need>> {
    if wasm::installed()?.is_some() {
        return Ok(Vec::new());
    }
    if wasm::add_rustup_target() {
        return Ok(Vec::new());
    }
    Ok(vec![WASM_COMPILER])
}

/// wasm-opt only makes the download smaller, so a machine without npm does without.
fn install_wasm_opt() -> Result<()> {
    if find("npm").is_none() {
        note(
            "wasm-opt is left out because npm is not installed: pages load about a tenth more WebAssembly",
        );
        return Ok(());
    }
    npm::install(
        "frontend",
        "wasm-opt, which makes the browser's download smaller",
    )
}

fn install(needs: &[Need]) -> Result<()> {
    if needs.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = needs
        .iter()
        .flat_map(|need| need.packages)
        .copied()
        .collect();
    let advice = format!(
        "please install these packages (their Debian names) and run this again: {}",
        packages.join(" ")
    );
    let name = format!("installing with apt-get: {}", packages.join(" "));
    step(&name, || {
        for need in needs {
            note(&format!("{}: {}", need.packages.join(", "), need.reason));
        }
        process::run(apt(&advice)?.arg("update"))
            .and_then(|()| {
                process::run(
                    apt(&advice)?
                        .args(["install", "--yes", "--no-install-recommends"])
                        .args(&packages),
                )
            })
            .with_context(|| advice.clone())
    })
}

/// `apt-get` with the rights it needs, asking nothing.
fn apt(advice: &str) -> Result<Command> {
    if find("apt-get").is_none() {
        bail!("this is not a Debian machine; {advice}");
    }
    let mut command = if rustix::process::geteuid().is_root() {
        process::command("env")
    } else if find("sudo").is_some() {
        let mut sudo = process::command("sudo");
        if !std::io::stdin().is_terminal() {
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    } else {
        bail!("neither root nor sudo; {advice}");
    };
    // Another apt may be at work right after a machine's first boot: wait for it.
    command.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]);
    Ok(command)
}
