//! Counting: this program runs itself under callgrind, which knows each instruction.

use std::{env, io, process::Command};

use crate::workload::Workload;

/// Instructions for each time that it is done.
pub(crate) fn count(workload: &Workload) -> io::Result<u64> {
    let times = workload.times;
    // What it takes to begin and to end is in both, and so in neither.
    let once = run(workload, times)?;
    let twice = run(workload, 2 * times)?;
    Ok(twice.saturating_sub(once) / u64::from(times))
}

fn run(workload: &Workload, times: u32) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([workload.name, &times.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| {
        let (_, counted) = line.split_once("Collected :")?;
        counted.trim().parse().ok()
    });
    counted
        .filter(|_| output.status.success())
        .ok_or_else(|| io::Error::other(format!("callgrind failed:\n{said}")))
}
