//! Servers, and how many requests they answer.

use std::{env, io, path::PathBuf, process::Command};

use ratelimit_tests::Guarded;

/// A server on the first core. It ends with this value or with the process, however that ends.
pub(super) struct Server {
    _program: Guarded,
    url: String,
}

impl Server {
    /// One of those in `bin/server`.
    pub(super) fn of_ours(arguments: &[&str]) -> io::Result<Self> {
        // Beside this program in the same folder.
        let program = env::current_exe()?.with_file_name("server");
        let program = program.to_string_lossy();
        Self::start(&[&[program.as_ref()], arguments].concat())
    }

    /// A program that prints where it listens.
    pub(super) fn start(command: &[&str]) -> io::Result<Self> {
        let mut program = Guarded::start("taskset", &[&["-c", "0"], command].concat(), &[]);
        let url = program.line().ok_or_else(|| {
            let command = command.join(" ");
            io::Error::other(format!("{command} ended and did not say where it listens"))
        })?;
        Ok(Self {
            _program: program,
            url: url.trim().to_owned(),
        })
    }
}

/// What asks them, on the second core.
pub(super) struct Wrk {
    pub(super) connections: u32,
    /// What makes the requests, if they are not all the same.
    pub(super) script: Option<PathBuf>,
}

impl Wrk {
    pub(super) fn requests_per_second(&self, server: &Server) -> f64 {
        let mut wrk = Command::new("taskset");
        wrk.args(["-c", "1", "wrk", "-t1", "-d2s"])
            .arg(format!("-c{}", self.connections));
        if let Some(script) = &self.script {
            wrk.arg("-s").arg(script);
        }
        let output = wrk.arg(&server.url).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let text = text.unwrap_or_default();
        // Anything but 200 would be another measurement.
        let refused = text.contains("Non-2xx") || text.contains("Socket errors");
        text.lines()
            .find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())
            .filter(|_| !refused)
            .unwrap_or(f64::NAN)
    }
}
