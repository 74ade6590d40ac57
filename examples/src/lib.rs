//! What all the examples do alike, and what has nothing to do with limits: they log, choose the
//! port, say what to try, and show an error as a sentence.

use std::{
    env::{self, VarError},
    error::Error,
    io::{self, IsTerminal, Write},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use redis::{ConnectionAddr, IntoConnectionInfo};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// Runs an example until it ends, which is when something cannot work.
///
/// What it logs is chosen by the environment variable `RUST_LOG`, in the
/// [syntax of tracing-subscriber][EnvFilter]. Without it, and for targets that it does not name,
/// that is everything from the level INFO on.
pub async fn run(example: impl Future<Output = Result<(), Box<dyn Error>>>) -> ExitCode {
    let directives = env::var("RUST_LOG").unwrap_or_default();
    // Of two directives for the same target, the last one counts.
    let filter = EnvFilter::builder().parse_lossy(format!("info,{directives}"));
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        .init();
    match example.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Shown as a sentence, and not as main would show it. Where even that fails, the exit
            // code has to say it alone.
            let _ = writeln!(io::stderr(), "{}: {error}", name());
            ExitCode::FAILURE
        }
    }
}

/// Listens on 127.0.0.1, at the port of the environment variable `PORT` or else at 3000. It is the
/// first thing that an example does: nothing is logged that does not come about.
///
/// # Errors
///
/// Returns an error if `PORT` is not a port, or if another program listens there.
pub async fn listen() -> Result<TcpListener, String> {
    let port = port()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another program listens on {address} already: stop it, or choose another port, as in\n\n    PORT={} cargo run --example {}\n",
            if port == u16::MAX { 3000 } else { port + 1 },
            name()
        ),
        _ => format!("cannot listen on {address}: {error}"),
    })
}

fn port() -> Result<u16, String> {
    let text = match env::var("PORT") {
        Ok(text) => text,
        Err(VarError::NotPresent) => return Ok(3000),
        Err(VarError::NotUnicode(text)) => text.to_string_lossy().into_owned(),
    };
    text.parse().map_err(|_| {
        format!(
            "PORT={text} is not a port: set it to a number from 1 to 65535, or to 0 for any that is free"
        )
    })
}

/// Prints where an example listens, where the limits are kept, and what to try: lines for a shell,
/// in which `{url}` is where it listens.
///
/// # Errors
///
/// Returns an error if the standard output is closed.
pub fn announce(listener: &TcpListener, kept: &str, what_to_try: &str) -> io::Result<()> {
    let url = format!("http://{}", listener.local_addr()?);
    let what_to_try = what_to_try.replace("{url}", &url);
    let mut out = io::stdout();
    writeln!(
        out,
        "Listening on {url}, limits are kept {kept}. Try, in another terminal:\n{what_to_try}"
    )?;
    out.flush()
}

/// Returns where `store_from_env` keeps the limits, as [`announce`] says it.
pub fn kept_by_env() -> &'static str {
    match env::var_os("REDIS_URL") {
        Some(url) if !url.is_empty() => "in the Redis at REDIS_URL",
        _ => "in memory",
    }
}

/// Returns the `redis-cli` that connects to the Redis at this URL. It asks for the password, which
/// is not to be printed.
pub fn redis_cli(url: &str) -> String {
    let mut command = "redis-cli".to_owned();
    let Ok(info) = url.into_connection_info() else {
        return command;
    };
    let mut add = |option: &str| {
        command.push(' ');
        command.push_str(option);
    };
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => add(&format!("-h {host} -p {port}")),
        ConnectionAddr::TcpTls { host, port, .. } => add(&format!("--tls -h {host} -p {port}")),
        ConnectionAddr::Unix(path) => add(&format!("-s '{}'", path.display())),
        _ => {}
    }
    let settings = info.redis_settings();
    if settings.db() != 0 {
        add(&format!("-n {}", settings.db()));
    }
    if let Some(user) = settings.username() {
        add(&format!("--user '{user}'"));
    }
    if settings.password().is_some() {
        add("--askpass");
    }
    command
}

/// The example's name, which is that of its program.
fn name() -> String {
    let program = env::current_exe().unwrap_or_default();
    let name = program.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_cli_goes_where_the_url_says_without_its_password() {
        for (url, command) in [
            ("redis://127.0.0.1:6379", "redis-cli -h 127.0.0.1 -p 6379"),
            (
                "redis://redis.internal",
                "redis-cli -h redis.internal -p 6379",
            ),
            ("redis://[::1]:7000/2", "redis-cli -h ::1 -p 7000 -n 2"),
            (
                "redis://:s3cret@10.0.0.1:6379/0",
                "redis-cli -h 10.0.0.1 -p 6379 --askpass",
            ),
            (
                "redis://web:s3c%40ret@10.0.0.1",
                "redis-cli -h 10.0.0.1 -p 6379 --user 'web' --askpass",
            ),
            (
                "redis+unix:///run/redis.sock?db=2&user=web&pass=s3cret",
                "redis-cli -s '/run/redis.sock' -n 2 --user 'web' --askpass",
            ),
        ] {
            assert_eq!(redis_cli(url), command, "{url}");
        }
    }
}
