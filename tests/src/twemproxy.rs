//! A twemproxy before two Redis servers: it spreads the keys over them, and runs a script on the server
//! of its first key.

use std::{net::TcpStream, thread, time::Duration};

use crate::{RedisServer, guarded::Guarded, redis_server::free_port};

/// A running twemproxy, which ends with this value.
#[derive(Debug)]
pub struct Twemproxy {
    process: Guarded,
    configuration: String,
    port: u16,
}

const WITH_CONFIGURATION: &str = r#"
    printf '%s\n' "$1" >nutcracker.yml
    exec nutcracker -c nutcracker.yml -s "$2"
"#;

impl Twemproxy {
    /// Starts one before these servers. It places keys by what is between these characters, or by the
    /// whole of them.
    ///
    /// # Panics
    ///
    /// It does not start: `tests/run` installs it.
    pub fn start(servers: [&RedisServer; 2], hash_tag: Option<&str>) -> Self {
        for _ in 0..20 {
            let port = free_port();
            let tag = hash_tag.map(|tag| format!("\n  hash_tag: \"{tag}\""));
            let configuration = format!(
                "limits:\n  listen: 127.0.0.1:{port}\n  redis: true\n  hash: murmur\n  \
                 distribution: ketama{}\n  servers:\n   - 127.0.0.1:{}:1\n   - 127.0.0.1:{}:1",
                tag.unwrap_or_default(),
                servers[0].port(),
                servers[1].port()
            );
            if let Some(process) = run(&configuration, port) {
                return Self {
                    process,
                    configuration,
                    port,
                };
            }
        }
        panic!("nutcracker (twemproxy) did not start in 20 attempts: tests/run installs it");
    }

    /// Kills it and starts it again on the same port, after this time.
    ///
    /// # Panics
    ///
    /// It does not start.
    pub async fn restart(&mut self, after: Duration) {
        self.process.signal("KILL");
        tokio::time::sleep(after).await;
        self.process = run(&self.configuration, self.port).expect("the port is still free");
    }

    /// The URL it is reached at.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// Starts it, and waits until it accepts connections; `None` if the port is taken.
fn run(configuration: &str, port: u16) -> Option<Guarded> {
    let stats = free_port().to_string();
    let arguments = ["-c", WITH_CONFIGURATION, "sh", configuration, &stats];
    let process = Guarded::start("sh", &arguments, &[]);
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(process);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}
