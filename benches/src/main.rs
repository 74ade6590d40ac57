//! Runs every comparison, prints one table and writes it to `benches/RESULTS.md`.
//!
//! Started by `benches/run`, which sees to wrk and redis-server.

mod compare;
mod http;
mod machine;
mod memory;
mod redis_check;

use std::{fs, io, path::Path};

use self::compare::Table;

fn main() -> io::Result<()> {
    let mut table = Table::default();
    memory::run(&mut table);
    http::run(&mut table)?;
    redis_check::run(&mut table);

    let results = format!("{}\n{}", machine::describe(), table.to_markdown());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md");
    fs::write(&file, &results)?;
    io::Write::write_all(&mut io::stdout(), results.as_bytes())
}
