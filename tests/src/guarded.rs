//! A program that ends with the test that started it.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::patience::PATIENCE;

/// A running program, in a directory of its own. It ends with this value or with the process,
/// however that ends.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    program: u32,
    output: BufReader<ChildStdout>,
}

/// Runs a program until standard input closes, which it does when the test's process is gone. Until
/// then each line there is the name of a signal for the program.
const GUARD: &str = r#"
    directory=$(mktemp -d)
    cd "$directory"
    # The first line of the output is the program's process number.
    sh -c 'echo $$; exec "$@"' sh "$@" &
    program=$!
    # The program alone writes there, so that its end is seen.
    exec >&-
    while read -r signal; do
        kill "-$signal" "$program"
    done
    # It may have ended by itself.
    kill -9 "$program" 2>/dev/null
    wait "$program" 2>/dev/null
    rm -rf "$directory"
    # Together with what the program has started: they are one group.
    kill -9 0
"#;

impl Guarded {
    /// Starts a program with these arguments, and with these variables in its environment.
    ///
    /// # Panics
    ///
    /// There is no shell to start it with.
    pub fn start(
        program: impl AsRef<OsStr>,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(program)
            .args(arguments)
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| name != "REDIS_URL" && name != "PORT"))
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let mut output = BufReader::new(guard.stdout.take().expect("piped"));
        let mut program = String::new();
        output.read_line(&mut program).expect("text");
        let program = program.trim().parse().expect("a process number");
        Self {
            guard,
            program,
            output,
        }
    }

    /// Stops the program until it gets the signal `CONT`, and returns when it has stopped. A signal
    /// is delivered asynchronously: until then the program may still answer.
    ///
    /// # Panics
    ///
    /// Panics if the program does not stop.
    pub fn stop(&mut self) {
        self.signal("STOP");
        let begin = Instant::now();
        while !self.is_stopped() {
            assert!(begin.elapsed() < PATIENCE, "the program has not stopped");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_stopped(&self) -> bool {
        let program = self.program.to_string();
        let status = fs::read_to_string(format!("/proc/{program}/stat")).ok();
        // The state follows the name, which is in parentheses and may contain some.
        let state = status.and_then(|status| Some(status.rsplit_once(") ")?.1.to_owned()));
        let state = state.or_else(|| {
            // Systems without `/proc` have `ps`.
            let ps = Command::new("ps")
                .args(["-o", "state=", "-p", &program])
                .output();
            String::from_utf8(ps.ok()?.stdout).ok()
        });
        state.is_some_and(|state| state.starts_with('T'))
    }

    /// Sends a signal to the program, such as `CONT`, without waiting for its effect.
    ///
    /// # Panics
    ///
    /// Panics if the shell that guards the program has ended.
    pub fn signal(&mut self, signal: &str) {
        let stdin = self.guard.stdin.as_mut().expect("piped");
        writeln!(stdin, "{signal}").expect("the guard listens");
    }

    /// The next line that it prints; `None` when it has ended.
    ///
    /// # Panics
    ///
    /// It prints something that is not text.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).expect("text");
        (read > 0).then_some(line)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // What waits for it may rely on it being gone.
        let _ = self.guard.wait();
    }
}
