//! A twemproxy before two Redis servers: it spreads the keys over them, and runs a script on the server
//! of its first key.

use std::net::TcpStream;

use crate::{RedisServer, guarded::Guarded, patience::PATIENCE, redis_server::free_port};

/// A running twemproxy, which ends with this value.
#[derive(Debug)]
pub struct Twemproxy {
    // Held for its end.
    _process: Guarded,
    servers: [RedisServer; 2],
    port: u16,
}

const WITH_CONFIGURATION: &str = r#"
    printf '%s\n' "$1" >nutcracker.yml
    exec nutcracker -c nutcracker.yml -s "$2"
"#;

impl Twemproxy {
    /// Starts one that places keys by what is between these characters, or by the whole of them.
    ///
    /// # Panics
    ///
    /// It does not start: `tests/run` installs it.
    pub fn start(hash_tag: Option<&str>) -> Self {
        let servers = [RedisServer::start(), RedisServer::start()];
        for _ in 0..20 {
            let (port, stats) = (free_port(), free_port());
            let tag = hash_tag.map(|tag| format!("\n  hash_tag: \"{tag}\""));
            let configuration = format!(
                "limits:\n  listen: 127.0.0.1:{port}\n  redis: true\n  hash: murmur\n  \
                 distribution: ketama{}\n  servers:\n   - 127.0.0.1:{}:1\n   - 127.0.0.1:{}:1",
                tag.unwrap_or_default(),
                servers[0].port(),
                servers[1].port()
            );
            let arguments = [
                "-c",
                WITH_CONFIGURATION,
                "sh",
                &configuration,
                &stats.to_string(),
            ];
            let process = Guarded::start("sh", &arguments, &[]);
            if accepts(port) {
                return Self {
                    _process: process,
                    servers,
                    port,
                };
            }
        }
        panic!("nutcracker (twemproxy) did not start in 20 attempts: tests/run installs it");
    }

    /// The URL it is reached at.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The servers behind it.
    pub fn servers(&self) -> &[RedisServer; 2] {
        &self.servers
    }
}

/// Waits until a program accepts connections.
fn accepts(port: u16) -> bool {
    let begin = std::time::Instant::now();
    while begin.elapsed() < PATIENCE {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    false
}
