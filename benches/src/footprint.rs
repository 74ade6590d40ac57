//! Allocations and memory, which a program of its own counts.

use std::{
    env, io,
    process::{Command, Stdio},
};

use ratelimit_benches::compare::Table;

pub(crate) fn run(table: &mut Table) -> io::Result<()> {
    // Beside this program in the same folder.
    let program = env::current_exe()?.with_file_name("footprint");
    let output = Command::new(program).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("footprint: {}", output.status)));
    }
    table.add_rows(&String::from_utf8_lossy(&output.stdout));
    Ok(())
}
