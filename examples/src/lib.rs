//! What all the examples do alike, and what has nothing to do with limits: they log, choose the
//! port, say what to try, and show an error as a sentence.

use std::{
    env,
    error::Error,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use tokio::net::TcpListener;

/// Runs an example until it ends, which is when something cannot work.
pub async fn run(example: impl Future<Output = Result<(), Box<dyn Error>>>) -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
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

/// Listens on 127.0.0.1, at the port of the environment variable `PORT` or else at 3000, and says
/// where that is, where the limits are kept, and what to try: lines for a shell, in which `{url}`
/// is where it listens.
///
/// # Errors
///
/// `PORT` is not a port, or another program listens there.
pub async fn listen(kept: &str, what_to_try: &str) -> Result<TcpListener, Box<dyn Error>> {
    let listener = bind().await?;
    let url = format!("http://{}", listener.local_addr()?);
    let what_to_try = what_to_try.replace("{url}", &url);
    let mut out = io::stdout();
    writeln!(
        out,
        "Listening on {url}, limits are kept {kept}. Try, in another terminal:\n{what_to_try}"
    )?;
    out.flush()?;
    Ok(listener)
}

async fn bind() -> Result<TcpListener, String> {
    let port = match env::var("PORT") {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("PORT={text} is not a port: set it to a number from 1 to 65535, or to 0 for any that is free"))?,
        Err(_) => 3000,
    };
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

/// The example's name, which is that of its program.
fn name() -> String {
    let program = env::current_exe().unwrap_or_default();
    let name = program.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
