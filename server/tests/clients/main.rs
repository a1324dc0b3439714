//! Programs that devices in the field run, unmodified, against a portal that really listens.
//!
//! `cargo xtask setup` installs them where apt is there; whatever is missing is skipped by name.
//! `world` is the portal with one device, `wire` the line between them, which can be cut.

mod curl;
mod esp_idf;
mod hawkbit;
mod manifest_examples;
mod oneid;
mod programs;
mod rauc;
mod swu;
mod swupdate;
mod wire;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

/// A group of tests, and the programs that all of them run.
struct Suite {
    name: &'static str,
    needs: &'static [&'static str],
    stories: &'static [(&'static str, fn())],
}

const SUITES: [Suite; 8] = [
    Suite {
        name: "curl",
        needs: &["curl"],
        stories: &curl::STORIES,
    },
    Suite {
        name: "esp_idf",
        needs: &["curl"],
        stories: &esp_idf::STORIES,
    },
    Suite {
        name: "hawkbit",
        needs: &[programs::HAWKBIT_CLIENT],
        stories: &hawkbit::STORIES,
    },
    Suite {
        name: "manifest_in_c",
        needs: &["cc", programs::OPENSSL_HEADERS],
        stories: &manifest_examples::C_STORIES,
    },
    Suite {
        name: "manifest_in_python",
        needs: &[programs::PYTHON],
        stories: &manifest_examples::PYTHON_STORIES,
    },
    Suite {
        name: "oneid",
        needs: &[programs::ONEID, programs::COSIGNER, "curl"],
        stories: &oneid::STORIES,
    },
    Suite {
        name: "rauc",
        needs: &["rauc", "mksquashfs", "openssl"],
        stories: &rauc::STORIES,
    },
    Suite {
        name: "swupdate",
        needs: &["swupdate", "openssl"],
        stories: &swupdate::STORIES,
    },
];

fn main() -> ExitCode {
    let trials = SUITES.iter().flat_map(trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trials(suite: &'static Suite) -> impl Iterator<Item = Trial> {
    suite.stories.iter().map(|(name, story)| {
        Trial::ignorable_test(format!("{}::{name}", suite.name), || {
            let missing = suite
                .needs
                .iter()
                .find(|name| programs::find(name).is_none());
            if let Some(missing) = missing {
                let reason = format!("{missing} is not installed, `cargo xtask setup` does it");
                return Ok(Completion::ignored_with(reason));
            }
            story();
            Ok(Completion::Completed)
        })
    })
}
