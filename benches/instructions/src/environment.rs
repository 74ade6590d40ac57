//! What beside this repository's code says how many instructions there are.

use std::{io, process::Command};

/// The compiler, the C library, whose allocator is counted too, and what counts.
pub(crate) fn describe() -> io::Result<String> {
    let programs = ["rustc", "ldd", "valgrind"].map(version);
    let versions: Vec<String> = programs.into_iter().collect::<io::Result<_>>()?;
    Ok(versions.join("; "))
}

fn version(program: &str) -> io::Result<String> {
    let output = Command::new(program).arg("--version").output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().next().unwrap_or(program).to_owned())
}
