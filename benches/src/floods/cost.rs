//! What a flood costs, and the table of it.

use std::{collections::BTreeMap, error::Error, fmt::Write, fs, io, time::Duration};

use ratelimit_tests::RedisServer;

use super::{log::Volume, scene};

/// What a flood has cost.
pub(super) struct Cost {
    requests: u64,
    /// Calls of each Redis command, and of the application's resolver.
    commands: BTreeMap<String, u64>,
    log_lines: u64,
    log_bytes: u64,
    /// By how much the process's memory grew, at its largest.
    process_bytes: u64,
    /// By how much Redis's data grew.
    redis_bytes: u64,
}

/// What there was before a flood.
pub(super) struct Meter<'a> {
    log: &'a Volume,
    commands: BTreeMap<String, u64>,
    log_lines: u64,
    log_bytes: u64,
    process_bytes: u64,
    redis_bytes: u64,
}

impl<'a> Meter<'a> {
    pub(super) async fn start(
        server: &RedisServer,
        log: &'a Volume,
    ) -> Result<Self, Box<dyn Error>> {
        // The peak is counted from here.
        fs::write("/proc/self/clear_refs", "5")?;
        Ok(Self {
            log,
            commands: commands(server).await?,
            log_lines: log.lines(),
            log_bytes: log.bytes(),
            process_bytes: memory("VmRSS:")?,
            redis_bytes: redis_bytes(server).await?,
        })
    }

    pub(super) async fn stop(
        self,
        server: &RedisServer,
        requests: u64,
    ) -> Result<Cost, Box<dyn Error>> {
        let peak = memory("VmHWM:")?;
        let resolver_calls = scene::take_resolver_calls();
        let mut commands = commands(server).await?;
        for (command, before) in &self.commands {
            if let Some(calls) = commands.get_mut(command) {
                *calls -= before;
            }
        }
        commands.insert("of the `TierResolver`".to_owned(), resolver_calls);
        // Of the measurement itself.
        commands.retain(|command, calls| {
            *calls > 0 && !["client|setname", "info"].contains(&command.as_str())
        });
        Ok(Cost {
            requests,
            commands,
            log_lines: self.log.lines() - self.log_lines,
            log_bytes: self.log.bytes() - self.log_bytes,
            process_bytes: peak.saturating_sub(self.process_bytes),
            redis_bytes: redis_bytes(server).await?.saturating_sub(self.redis_bytes),
        })
    }
}

/// Returns how often each command was called.
async fn commands(server: &RedisServer) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let stats = info(server, "commandstats").await?;
    let calls = |line: &str| {
        let (command, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        Some((command.to_owned(), calls))
    };
    Ok(stats.lines().filter_map(calls).collect())
}

async fn redis_bytes(server: &RedisServer) -> Result<u64, Box<dyn Error>> {
    let memory = info(server, "memory").await?;
    let dataset = memory
        .lines()
        .find_map(|line| line.strip_prefix("used_memory_dataset:"));
    Ok(dataset.ok_or("no used_memory_dataset")?.trim().parse()?)
}

async fn info(server: &RedisServer, section: &str) -> redis::RedisResult<String> {
    let mut query = redis::cmd("INFO");
    query.arg(section);
    query.query_async(&mut server.connection().await).await
}

/// Returns a line of the process's status, in bytes.
fn memory(line: &str) -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes = status
        .lines()
        .find_map(|found| found.strip_prefix(line)?.trim().strip_suffix(" kB"))
        .and_then(|kilobytes| kilobytes.parse::<u64>().ok());
    let kilobytes = kilobytes.ok_or_else(|| io::Error::other("no memory in /proc/self/status"))?;
    Ok(kilobytes * 1024)
}

/// Writes what the floods have cost.
pub(super) fn table(time: Duration, floods: &[(&str, Cost)]) -> String {
    let mut table = format!(
        "| {} s of | requests | calls of Redis commands | log | memory of the process | data in Redis |\n\
         | --- | ---: | --- | ---: | ---: | ---: |\n",
        time.as_secs()
    );
    for (name, cost) in floods {
        let commands: Vec<String> = cost
            .commands
            .iter()
            .map(|(command, calls)| format!("{calls} {command}"))
            .collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "| {name} | {} | {} | {} lines, {} | +{} | +{} |",
            cost.requests,
            if commands.is_empty() {
                "none".to_owned()
            } else {
                commands.join(", ")
            },
            cost.log_lines,
            bytes(cost.log_bytes),
            bytes(cost.process_bytes),
            bytes(cost.redis_bytes),
        );
    }
    table
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
