//! Running the system's firewall programs: a vector of arguments, never a shell, and never for ever.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long one call may take. Putting 4,096 sessions into the kernel takes well under a second;
/// this is for programs that wait for a lock.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where Debian and OpenWrt keep firewall programs; a service's `PATH` may leave these out.
const SYSTEM_FOLDERS: &str = "/usr/sbin:/sbin:/usr/local/sbin";

const MAX_COMPLAINT_CHARS: usize = 200;

/// Why a firewall program did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not installed where programs are looked for.
    #[error("{0} is not installed")]
    Missing(&'static str),
    /// This router leads no connections on over IPv6.
    #[error("sessions over IPv6 need ip6tables and its table nat (kmod-ipt-nat6 on OpenWrt)")]
    NoIpv6,
    /// It could not be started or talked to.
    #[error("{0} could not be run: {1}")]
    NotRun(&'static str, io::Error),
    /// It did not finish in time and was ended.
    #[error("{0} did not finish within 10 s")]
    TooSlow(&'static str),
    /// It refused; what it complained about is cut to one printable line.
    #[error("{program} refused: {complaint}")]
    Refused {
        /// The program's name.
        program: &'static str,
        /// Its exit code; `None` if a signal ended it.
        code: Option<i32>,
        /// The beginning of its standard error.
        complaint: String,
    },
    /// It said something that this version cannot read.
    #[error("{0} said something unexpected: {1}")]
    Unreadable(&'static str, String),
}

/// Finds a program in `PATH` and where systems keep their firewall programs.
pub fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .chain(std::env::split_paths(SYSTEM_FOLDERS))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Runs a program to its end with `input` as its standard input, and gives its standard output.
///
/// It has to be called from a thread that may block, inside of a runtime.
///
/// # Errors
/// [`ToolError`] if it cannot be run, does not end in time, or ends with another code than 0.
pub(crate) fn run<S: AsRef<OsStr>>(
    program: &'static str,
    arguments: &[S],
    input: &str,
) -> Result<Vec<u8>, ToolError> {
    let output = output(program, arguments, input)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(ToolError::Refused {
        program,
        code: output.status.code(),
        complaint: complaint(&output.stderr),
    })
}

fn output<S: AsRef<OsStr>>(
    program: &'static str,
    arguments: &[S],
    input: &str,
) -> Result<Output, ToolError> {
    let path = find(program).ok_or(ToolError::Missing(program))?;
    let mut command = Command::new(path);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("LC_ALL", "C")
        .kill_on_drop(true);
    Handle::current().block_on(async {
        let child = command
            .spawn()
            .map_err(|error| ToolError::NotRun(program, error))?;
        timeout(DEADLINE, talk(child, input))
            .await
            .map_err(|_| ToolError::TooSlow(program))?
            .map_err(|error| ToolError::NotRun(program, error))
    })
}

async fn talk(mut child: Child, input: &str) -> io::Result<Output> {
    let mut stdin = child.stdin.take().expect("it is piped");
    let written = async move {
        // A program that refuses early does not read to the end; its exit code tells.
        let _ = stdin.write_all(input.as_bytes()).await;
    };
    let ((), output) = tokio::join!(written, child.wait_with_output());
    output
}

fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let first_line = text.lines().find(|line| !line.trim().is_empty());
    first_line
        .unwrap_or("without a word")
        .chars()
        .map(|symbol| if symbol.is_control() { '?' } else { symbol })
        .take(MAX_COMPLAINT_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ToolError, run};

    async fn run_blocking(
        program: &'static str,
        arguments: &'static [&'static str],
        input: &'static str,
    ) -> Result<Vec<u8>, ToolError> {
        tokio::task::spawn_blocking(move || run(program, arguments, input))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn arguments_and_input_reach_the_program_as_they_are() {
        let shown = run_blocking("printf", &["%s|%s", "a b", "; reboot"], "").await;
        assert_eq!(shown.unwrap(), b"a b|; reboot");
        assert_eq!(
            run_blocking("cat", &[], "in\nput").await.unwrap(),
            b"in\nput"
        );
    }

    #[tokio::test]
    async fn a_program_that_fails_or_is_missing_is_an_error() {
        let refused = run_blocking("ls", &["/nowhere-at-all"], "").await;
        let Err(ToolError::Refused {
            code, complaint, ..
        }) = refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!(code, Some(2));
        assert!(complaint.contains("nowhere-at-all"), "{complaint}");
        let missing = run_blocking("no-such-program", &[], "").await;
        assert!(matches!(missing, Err(ToolError::Missing(_))));
    }

    #[tokio::test]
    async fn a_long_input_to_a_program_that_does_not_read_is_no_deadlock() {
        static LONG: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "x".repeat(1 << 20));
        assert!(run_blocking("true", &[], &LONG).await.is_ok());
        let echoed = run_blocking("cat", &[], &LONG).await.unwrap();
        assert_eq!(echoed.len(), LONG.len());
    }
}
