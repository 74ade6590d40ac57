//! Counting: this program runs itself under callgrind, which knows each instruction.

use std::{env, io, process::Command};

use crate::workload::Workload;

/// The C library keeps what is freed at hand, instead of going through a heap that is not twice laid out
/// alike.
const ONE_HEAP: &str = "glibc.malloc.tcache_count=1000";

/// Instructions for each time that it is done.
pub(crate) fn count(workload: &Workload) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*workload::counted*")
        .env("GLIBC_TUNABLES", ONE_HEAP)
        .arg(env::current_exe()?)
        .args([workload.name, &workload.times.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| {
        let (_, counted) = line.split_once("Collected :")?;
        counted.trim().parse::<u64>().ok()
    });
    counted
        .filter(|&counted| output.status.success() && counted > 0)
        .map(|counted| counted / u64::from(workload.times))
        .ok_or_else(|| io::Error::other(format!("callgrind failed:\n{said}")))
}
