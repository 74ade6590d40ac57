//! A limited handler beside the bare one, over HTTP: the server has one core and wrk the other.

use std::{
    io::{self, BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use crate::compare::{Contestant, Table, Unit};

const SERVERS: [(&str, &str); 3] = [
    ("bare", "the bare handler"),
    ("ratelimit", "#[rate_limit] with tiers, memory, all headers"),
    ("tower_governor", "tower_governor, with its headers"),
];

pub(crate) fn run(table: &mut Table) -> io::Result<()> {
    let mut servers = Vec::new();
    for (variant, name) in SERVERS {
        servers.push((Server::start(variant)?, name));
    }
    let contestants = servers
        .iter()
        .map(|(server, name)| Contestant::new(*name, || server.requests_per_second()))
        .collect();
    table.compare(
        "HTTP, wrk with 32 connections",
        Unit::PerSecond,
        contestants,
    );
    Ok(())
}

struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(variant: &str) -> io::Result<Self> {
        // Beside this program in the same folder.
        let program = std::env::current_exe()?.with_file_name("server");
        let mut process = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .arg(variant)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut url)?;
        }
        Ok(Self {
            process,
            url: url.trim().to_owned(),
        })
    }

    fn requests_per_second(&self) -> f64 {
        let output = Command::new("taskset")
            .args(["-c", "1", "wrk", "-t1", "-c32", "-d2s", &self.url])
            .output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let text = text.unwrap_or_default();
        // Anything but 200 would be another measurement.
        let refused = text.contains("Non-2xx");
        text.lines()
            .find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())
            .filter(|_| !refused)
            .unwrap_or(f64::NAN)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
