//! Starting other programs: with visible output, with captured output, line by line, or for as
//! long as this one runs. Whatever is started here ends with xtask, also on Ctrl-C or SIGTERM.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::project;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static LIVE: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(12);

/// Makes Ctrl-C and SIGTERM end the children first, so that cleaning up still happens after.
///
/// # Errors
/// When the handler cannot be installed.
pub(crate) fn stop_children_on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter().for_each(|pid| terminate(*pid));
    })
    .context("no handler for Ctrl-C could be installed")
}

/// Whether somebody asked this program to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // A child that is gone already is what we want.
        kill_process(pid, Signal::TERM).ok();
    }
}

/// The full path of a program on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

/// A command in the top folder of the repository.
pub(crate) fn command(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.current_dir(project::root()).stdin(Stdio::null());
    command
}

/// The cargo that runs us, for this workspace and with the finished browser half to embed.
pub(crate) fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_outer_package(&mut cargo);
    cargo
        .env("GATEHOUSE_SITE_DIR", project::site_dir())
        // What is built is looked for there, wherever the user's own cargo would put it.
        .env("CARGO_TARGET_DIR", project::target_dir());
    cargo
}

/// Removes what the outer cargo says of xtask itself: build scripts watch some of these
/// variables, and would run anew at each change between `cargo xtask` and plain `cargo`.
fn forget_outer_package(command: &mut Command) {
    let of_package = |name: &str| {
        name.starts_with("CARGO_PKG_")
            || matches!(
                name,
                "CARGO_MANIFEST_DIR"
                    | "CARGO_MANIFEST_PATH"
                    | "CARGO_BIN_NAME"
                    | "CARGO_CRATE_NAME"
            )
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
}

/// Runs a command to its end with its output visible.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = Managed::start(command)?.wait()?;
    if status.success() {
        return Ok(());
    }
    bail!("`{}` ended with {status}", describe(command))
}

/// Runs a command to its end with `input` on its standard input, where no other user can see it.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Result<()> {
    let (reader, mut writer) = std::io::pipe()?;
    command.stdin(reader);
    // A password fits into the pipe's buffer, so nobody waits for anybody.
    writer.write_all(input.as_bytes())?;
    drop(writer);
    run(command)
}

/// Runs a command to its end and returns what it printed on standard output.
///
/// # Errors
/// When it cannot be started or does not succeed; the message carries its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("`{}` could not be started", describe(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}` ended with {}: {}",
            describe(command),
            output.status,
            stderr.trim()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed no UTF-8", describe(command)))
}

/// Runs a command to its end, shows its output and hands each line to `on_line` as well.
///
/// # Errors
/// When it cannot be started or read; how it ended is the caller's to judge.
pub(crate) fn stream(command: Command, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    let (mut child, lines) = Managed::start_piped(command)?;
    for line in BufReader::new(lines).split(b'\n') {
        let line = line?;
        let text = String::from_utf8_lossy(&line);
        println!("{text}");
        on_line(&text);
    }
    child.wait()
}

/// Starts a program that prints `listening on ADDRESS`, and returns it with that address.
///
/// # Errors
/// When it ends before it listens, or says nothing for a minute.
pub(crate) fn start_listening(command: Command, show_output: bool) -> Result<(Managed, String)> {
    start_saying(command, show_output, listening_address)
}

/// Starts a program and reads its output until `find` has found what it looks for.
///
/// # Errors
/// When it ends before that, or a minute is over.
pub(crate) fn start_saying<T>(
    command: Command,
    show_output: bool,
    mut find: impl FnMut(&str) -> Option<T>,
) -> Result<(Managed, T)> {
    let name = describe(&command);
    let (child, lines) = Managed::start_piped(command)?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            if show_output {
                println!("{line}");
            }
            // The receiver waits for the first messages only; later ones have nowhere to go.
            sender.send(line).ok();
        }
    });
    let deadline = Instant::now() + START_LIMIT;
    let mut last_line = String::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(line) = receiver.recv_timeout(left) else {
            bail!("`{name}` does not get ready; it last said: {last_line}");
        };
        if let Some(found) = find(&line) {
            return Ok((child, found));
        }
        last_line = line;
    }
}

/// The address in a line that says `listening on ADDRESS`.
pub(crate) fn listening_address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on ")?;
    let address = rest
        .split(|c: char| c.is_whitespace() || c == '\u{1b}')
        .next()?;
    Some(address.to_owned())
}

fn describe(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    command.get_args().take(3).fold(program, |text, arg| {
        format!("{text} {}", arg.to_string_lossy())
    })
}

/// A running program that is stopped when this value goes.
pub(crate) struct Managed {
    child: Child,
    name: String,
}

impl Managed {
    /// Starts a program; its output goes where the command says.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        if interrupted() {
            bail!("stopped on request");
        }
        let name = describe(command);
        let child = command
            .spawn()
            .with_context(|| format!("`{name}` could not be started"))?;
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(child.id());
        Ok(Self { child, name })
    }

    /// Takes the command by value: while it lives it holds the pipe's writing end, and the reader would wait for ever.
    fn start_piped(mut command: Command) -> Result<(Self, PipeReader)> {
        let (reader, writer) = std::io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        Ok((Self::start(&mut command)?, reader))
    }

    /// The program's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the program ends by itself.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Fails when the program has ended, which a server should not.
    ///
    /// # Errors
    /// When it has ended, with how.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("`{}` ended with {status}", self.name),
        }
    }

    /// Fails when the program has failed; that it runs or has done its work is as good.
    ///
    /// # Errors
    /// When it has ended without success, with how.
    pub(crate) fn has_not_failed(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) if !status.success() => bail!("`{}` ended with {status}", self.name),
            _ => Ok(()),
        }
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            terminate(self.child.id());
            let deadline = Instant::now() + STOP_LIMIT;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            // Past its time it is killed; one that has just ended cannot be, and need not.
            self.child.kill().ok();
            self.child.wait().ok();
        }
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.child.id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_out_of_a_log_line() {
        let line = "2026-01-01T00:00:00Z INFO listening on http://127.0.0.1:3000 data_dir=./data";
        assert_eq!(
            listening_address(line).as_deref(),
            Some("http://127.0.0.1:3000")
        );
        assert_eq!(listening_address("starting"), None);
    }

    #[test]
    fn streamed_lines_come_from_both_outputs() {
        let mut shell = command("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let mut lines = Vec::new();
        let status = stream(shell, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["out", "err"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn an_end_is_a_failure_of_a_server_and_of_a_task_only_without_success() {
        let ended = |program: &str| {
            let mut process = Managed::start(&mut command(program)).unwrap();
            process.wait().unwrap();
            process
        };
        assert!(ended("true").still_runs().is_err());
        assert!(ended("true").has_not_failed().is_ok());
        assert!(ended("false").has_not_failed().is_err());
    }

    #[test]
    fn a_dropped_program_is_gone() {
        let sleeper = Managed::start(command("sleep").arg("60")).unwrap();
        let proc_entry = PathBuf::from(format!("/proc/{}", sleeper.id()));
        assert!(proc_entry.exists());
        drop(sleeper);
        assert!(!proc_entry.exists());
    }
}
