//! How many instructions a decision takes, beside how many it took when `instructions.txt` was
//! written. Unlike time, that is the same on a busy machine.
//!
//! Without an argument it compares and fails where there are more, if compiler, C library and valgrind
//! are those of the file; with `write` it writes the file.
//! With the name of a workload and a number it does that so often, which is what callgrind counts.

mod callgrind;
mod environment;
mod figures;
mod workload;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use self::{
    figures::{Change, Figure},
    workload::WORKLOADS,
};

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => compare(),
        ["write"] => {
            figures::write(&environment::describe()?, &count_all()?)?;
            Ok(ExitCode::SUCCESS)
        }
        [name, times] => run(name, times),
        _ => Err(io::Error::other("usage: benches/instructions/run [write]")),
    }
}

/// Writes the new counts down.
const RENEW: &str = "benches/instructions/run write";

fn compare() -> io::Result<ExitCode> {
    let (then, kept) = figures::read()?;
    let now = environment::describe()?;
    let mut out = io::stdout();
    if now != then {
        writeln!(
            out,
            "These cannot be compared with instructions.txt, which is of\n{then}\nand not of\n{now}"
        )?;
        count_all()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut exit = ExitCode::SUCCESS;
    for (name, count) in count_all()? {
        match Change::of(&name, count, &kept) {
            Change::Alike => {}
            Change::ShrankFrom(kept) => {
                writeln!(
                    out,
                    "{name}: {count} instead of {kept}. Keep that with: {RENEW}"
                )?;
            }
            Change::GrewFrom(kept) => {
                writeln!(
                    out,
                    "FAILED: {name}: {count} instead of {kept}. If it is worth that: {RENEW}"
                )?;
                exit = ExitCode::FAILURE;
            }
            Change::New => {
                writeln!(
                    out,
                    "FAILED: {name}: not in instructions.txt. Add it with: {RENEW}"
                )?;
                exit = ExitCode::FAILURE;
            }
        }
    }
    Ok(exit)
}

/// Counts and prints them one after the other.
fn count_all() -> io::Result<Vec<Figure>> {
    WORKLOADS
        .iter()
        .map(|workload| {
            let count = callgrind::count(workload)?;
            writeln!(io::stdout(), "{}: {count} instructions", workload.name)?;
            Ok((workload.name.to_owned(), count))
        })
        .collect()
}

fn run(name: &str, times: &str) -> io::Result<ExitCode> {
    let workload = WORKLOADS.iter().find(|workload| workload.name == name);
    let (Some(workload), Ok(times)) = (workload, times.parse()) else {
        return Err(io::Error::other(format!(
            "no workload {name}, {times} times"
        )));
    };
    workload.run(times);
    Ok(ExitCode::SUCCESS)
}
