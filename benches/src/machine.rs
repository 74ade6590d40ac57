//! On what, with what and when the figures were had.

use std::{fs, process::Command};

pub(crate) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = cpu
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    format!(
        "# Results of `benches/run`\n\n\
         Ratios are what counts: the machine is shared, and the absolute figures are its own.\n\n\
         - machine: {model}, {cores} cores\n\
         - {}\n- {}\n- wrk {}\n- date: {}\n- peers: governor 0.10.4, tower_governor 0.8.0\n",
        printed("rustc", &["--version"]),
        printed("redis-server", &["--version"]),
        printed("wrk", &["--version"])
            .split_whitespace()
            .nth(1)
            .unwrap_or("unknown"),
        printed("date", &["+%F"]),
    )
}

/// The first line of what a program says of itself.
fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}
