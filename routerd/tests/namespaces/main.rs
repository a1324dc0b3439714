//! The daemon on a router of its own: network namespaces with a client, a stranger and a LAN server,
//! the kernel's packet filter, and real packets.
//!
//! Every test is a process that `unshare` puts into fresh namespaces, as root or as a user who may
//! make them. All sockets and rules stay in there.
//!
//! `GATEHOUSE_ROUTERD=target/router/gatehouse-routerd` tests that program instead of this build's.

mod daemon;
mod expiry;
mod heal;
mod many;
mod place;
mod reach;
mod revoke;
mod world;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::{Command, ExitCode, Output};
use world::{Backend, Scenario};

const SCENARIO: &str = "--scenario";

/// These tests wait for timers most of the time.
const TESTS_AT_ONCE: usize = 8;

/// A test with a backend that it is run with.
struct Test {
    name: String,
    scenario: fn(Backend),
    backend: Backend,
}

fn tests() -> Vec<Test> {
    let of = |backend: Backend| {
        move |(name, scenario): Scenario| Test {
            name: format!("{}::{name}", backend.name()),
            scenario,
            backend,
        }
    };
    let both = reach::SCENARIOS
        .into_iter()
        .chain(expiry::SCENARIOS)
        .chain(revoke::SCENARIOS)
        .chain(heal::SCENARIOS)
        .flat_map(|scenario| {
            [Backend::Nft, Backend::Iptables].map(|backend| of(backend)(scenario))
        });
    let nft_only = reach::NFT_SCENARIOS
        .into_iter()
        .chain(heal::NFT_SCENARIOS)
        .chain(expiry::NFT_SCENARIOS)
        .chain(many::NFT_SCENARIOS)
        .map(of(Backend::Nft));
    both.chain(nft_only).collect()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, name] = arguments.as_slice()
        && flag == SCENARIO
    {
        let tests = tests();
        let test = tests.iter().find(|test| test.name == *name);
        let test = test.expect("a known test");
        world::end_at_a_deadline();
        (test.scenario)(test.backend);
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    match why_not() {
        Some(reason) if !arguments.list => skip_all(&reason),
        _ => run(&arguments),
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    let trials = tests()
        .into_iter()
        .map(|Test { name, .. }| Trial::test(name.clone(), move || in_namespaces(&name)))
        .collect();
    libtest_mimic::run(arguments, trials).exit_code()
}

/// Prints what `cargo xtask test` counts as skipped, each with the reason.
fn skip_all(reason: &str) -> ExitCode {
    let tests = tests();
    for Test { name, .. } in &tests {
        println!("test {name} ... ignored, {reason}");
    }
    println!(
        "test result: ok. 0 passed; 0 failed; {} ignored; 0 measured; 0 filtered out",
        tests.len()
    );
    ExitCode::SUCCESS
}

/// Tries in namespaces what all tests need, and tells the first thing that does not work.
fn why_not() -> Option<String> {
    for program in [
        "unshare",
        "ip",
        "nft",
        "iptables",
        "ip6tables",
        "conntrack",
        "mount",
    ] {
        if gatehouse_routerd::backend::find_tool(program).is_none() {
            return Some(format!("{program} is not installed"));
        }
    }
    let trials = [
        "ip link add near type veth peer name far",
        "mount -t tmpfs tmpfs /run",
        "nft list ruleset",
        "iptables -t nat -S",
        "ip6tables -t nat -S",
    ];
    trials.into_iter().find_map(|trial| {
        let output = unshare()
            .args(["sh", "-c", trial])
            .output()
            .expect("unshare runs");
        let complaint = String::from_utf8_lossy(&output.stderr)
            .trim()
            .replace('\n', "; ");
        (!output.status.success())
            .then(|| format!("in a network namespace `{trial}` fails: {complaint}"))
    })
}

fn in_namespaces(name: &str) -> Result<(), Failed> {
    let own_program = std::env::current_exe().map_err(|error| error.to_string())?;
    let Output {
        status,
        stdout,
        stderr,
    } = unshare()
        .arg(own_program)
        .args([SCENARIO, name])
        .output()
        .map_err(|error| error.to_string())?;
    if status.success() {
        print!("{}", String::from_utf8_lossy(&stdout));
        return Ok(());
    }
    Err(format!(
        "{status}\n{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    )
    .into())
}

/// Begins a command in fresh namespaces; whoever is not root becomes root in one for users.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("--");
    command
}
