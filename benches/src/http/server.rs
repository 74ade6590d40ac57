//! Servers, what asks them, and how many requests they answer.

use std::{env, io, path::PathBuf, thread::sleep, time::Duration};

use ratelimit_tests::Guarded;

/// A server to be started on the first core: its command, and what it is called.
pub(super) struct Server {
    pub(super) name: &'static str,
    command: Vec<String>,
}

impl Server {
    /// One of those in `bin/server`.
    pub(super) fn of_ours(name: &'static str, arguments: &[&str]) -> io::Result<Self> {
        // Beside this program in the same folder.
        let program = env::current_exe()?.with_file_name("server");
        let program = program.to_string_lossy();
        Ok(Self::new(name, &[&[program.as_ref()], arguments].concat()))
    }

    /// A program that prints where it listens.
    pub(super) fn new(name: &'static str, command: &[&str]) -> Self {
        let command = command.iter().copied().map(str::to_owned).collect();
        Self { name, command }
    }
}

/// What asks them, on the second core.
pub(super) struct Wrk {
    pub(super) connections: u32,
    /// What makes the requests, if they are not all the same.
    pub(super) script: Option<PathBuf>,
}

/// So long one server is asked before it is the next one's turn. What else the machine does changes
/// more slowly, and so troubles all of them alike.
const TURN: Duration = Duration::from_millis(50);

/// So often it is each one's turn in a round.
const TURNS: u32 = 40;

impl Wrk {
    /// A round: how many requests each of the servers has answered per second of its turns.
    ///
    /// They are started anew, since how a program lies in memory makes a difference of some percent.
    ///
    /// # Errors
    ///
    /// One of them did not start.
    pub(super) fn round(&self, servers: &[Server]) -> io::Result<Vec<f64>> {
        // In seconds, and a little more than all the turns take.
        let lasts = servers
            .iter()
            .map(|_| TURN * TURNS)
            .sum::<Duration>()
            .as_secs()
            + 2;
        let pairs = servers.iter().map(|server| self.start(server, lasts));
        let mut pairs = pairs.collect::<io::Result<Vec<Pair>>>()?;
        for _ in 0..TURNS {
            for pair in &mut pairs {
                pair.has_its_turn();
            }
        }
        for pair in &mut pairs {
            pair.let_end();
        }
        Ok(pairs.into_iter().map(Pair::requests_per_second).collect())
    }

    fn start(&self, server: &Server, seconds: u64) -> io::Result<Pair> {
        let mut program = pinned("0", server.command.iter().map(String::as_str));
        let url = program.line().ok_or_else(|| {
            let name = server.name;
            io::Error::other(format!("{name} ended and did not say where it listens"))
        })?;
        let connections = format!("-c{}", self.connections);
        let script = self.script.as_deref().map(|path| path.to_string_lossy());
        let duration = format!("-d{seconds}s");
        // That it waits for its turn is no error.
        let mut command = vec!["wrk", "-t1", &duration, &connections, "--timeout=10s"];
        if let Some(script) = &script {
            command.extend(["-s", script]);
        }
        command.push(url.trim());
        let mut pair = Pair {
            wrk: pinned("1", command),
            server: program,
        };
        pair.stop();
        Ok(pair)
    }
}

fn pinned<'a>(core: &'a str, command: impl IntoIterator<Item = &'a str>) -> Guarded {
    let arguments: Vec<&str> = ["-c", core].into_iter().chain(command).collect();
    Guarded::start("taskset", &arguments, &[])
}

/// A server and the wrk that asks it. Both stand still while it is not their turn, and end with this
/// value or with the process, however that ends.
struct Pair {
    server: Guarded,
    wrk: Guarded,
}

impl Pair {
    fn has_its_turn(&mut self) {
        self.server.signal("CONT");
        self.wrk.signal("CONT");
        sleep(TURN);
        self.stop();
    }

    fn stop(&mut self) {
        self.wrk.stop();
        self.server.stop();
    }

    /// Lets wrk come to its end; the server answers no more.
    fn let_end(&mut self) {
        self.wrk.signal("CONT");
    }

    /// As wrk counted them.
    fn requests_per_second(mut self) -> f64 {
        let mut requests = None;
        while let Some(line) = self.wrk.line() {
            // Anything but 200 would be another measurement.
            if line.contains("Non-2xx") || line.contains("Socket errors") {
                return f64::NAN;
            }
            if let Some((count, _)) = line.split_once(" requests in ") {
                requests = count.trim().parse().ok();
            }
        }
        requests.map_or(f64::NAN, |requests: u32| {
            f64::from(requests) / (TURN * TURNS).as_secs_f64()
        })
    }
}
