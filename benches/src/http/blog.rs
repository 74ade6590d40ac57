//! The blog's app, if there is a Python that can run it.

use std::{path::Path, process::Command};

use super::server::Server;

pub(super) const NAME: &str = "the blog's FastAPI app";

pub(super) const HOW_TO_GET_IT: &str = "python3 cannot import what `benches/blog/requirements.txt` \
     names; `benches/run` installs that where there is a python3 with venv and a package index";

/// Of uvicorn with one worker: as it comes with `FastAPI`, and at its fastest.
pub(super) const VARIANTS: [(&str, [&str; 2]); 2] = [
    (
        "the blog's FastAPI app, one uvicorn worker",
        ["asyncio", "h11"],
    ),
    (
        "the blog's FastAPI app, one uvicorn worker with uvloop and httptools",
        ["uvloop", "httptools"],
    ),
];

/// It with its counters in the Redis at this URL, and with these settings of uvicorn.
pub(super) fn server(name: &'static str, redis: &str, [r#loop, http]: [&str; 2]) -> Server {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("blog/app.py");
    let command = ["python3", &app.to_string_lossy(), redis, r#loop, http];
    Server::new(name, &command)
}

/// What it runs on, if it does.
pub(crate) fn versions() -> Option<String> {
    const VERSIONS: &str = "
import platform, fastapi, hiredis, httptools, redis, uvicorn, uvloop
print('python', platform.python_version(), end='')
for it in fastapi, uvicorn, uvloop, httptools, redis, hiredis:
    print(',', it.__name__, it.__version__, end='')
";
    let output = Command::new("python3")
        .args(["-c", VERSIONS])
        .output()
        .ok()?;
    let versions = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(versions)
}
