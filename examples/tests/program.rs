//! An example that runs as a program of its own, and ends with the test.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ratelimit_tests::{Guarded, header};
use reqwest::{Client, RequestBuilder, Response};

/// A running example.
pub(crate) struct Program {
    running: Guarded,
    /// `http://127.0.0.1:…`, from the first line it prints.
    pub(crate) url: String,
    client: Client,
}

impl Program {
    /// Starts an example on a free port and waits until it says where it listens.
    pub(crate) fn start(name: &str, environment: &[(&str, &str)]) -> Self {
        Self::of(name, environment, |environment| {
            Guarded::start(path(name), &[], environment)
        })
    }

    /// Starts an example whose log goes to a file.
    pub(crate) fn start_logging(name: &str, environment: &[(&str, &str)], log: &Path) -> Self {
        let program = path(name);
        let paths = [&program, log].map(|path| path.to_str().expect("text"));
        let arguments = ["-c", r#"exec "$0" 2>"$1""#, paths[0], paths[1]];
        Self::of(name, environment, |environment| {
            Guarded::start("sh", &arguments, environment)
        })
    }

    fn of(
        name: &str,
        environment: &[(&str, &str)],
        start: impl FnOnce(&[(&str, &str)]) -> Guarded,
    ) -> Self {
        let environment = [environment, &[("PORT", "0")]].concat();
        let mut program = start(&environment);
        let first = program.line().unwrap_or_default();
        let url = first
            .split([' ', ','])
            .find(|word| word.starts_with("http://"));
        let Some(url) = url.map(str::to_owned) else {
            panic!("{name} printed {first:?}");
        };
        Self {
            running: program,
            url,
            client: Client::builder().no_proxy().build().expect("a client"),
        }
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> Option<String> {
        self.running.line()
    }

    /// Sends it a signal: `INT` and so on.
    pub(crate) fn signal(&mut self, signal: &str) {
        self.running.signal(signal);
    }

    /// A GET request.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    /// A POST request.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    /// Runs an example that is expected to end.
    pub(crate) fn run(name: &str, environment: &[(&str, &str)]) -> Output {
        Self::command(name)
            .envs(environment.iter().copied())
            .output()
            .expect("the example is built together with this test")
    }

    /// How an example is run, for arguments and input of a test's own.
    pub(crate) fn command(name: &str) -> Command {
        let mut command = Command::new(path(name));
        for name in ["REDIS_URL", "PORT", "RUST_LOG"] {
            command.env_remove(name);
        }
        command
    }
}

/// The answer to a request.
pub(crate) async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

/// What an answer says of limits: its status, and the headers with the limit and what is left.
pub(crate) fn figures(response: &Response) -> (u16, Option<&str>, Option<&str>) {
    let [limit, remaining] =
        ["x-ratelimit-limit", "x-ratelimit-remaining"].map(|name| header(response, name));
    (response.status().as_u16(), limit, remaining)
}

/// What an example that cannot work says, which must be a sentence.
pub(crate) fn complaint(name: &str, environment: &[(&str, &str)]) -> String {
    let output = Program::run(name, environment);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn path(name: &str) -> PathBuf {
    // This test is target/<profile>/deps/<test>, the example target/<profile>/examples/<name>.
    let test = env::current_exe().expect("its own path");
    let profile: PathBuf = test.ancestors().skip(2).take(1).collect();
    profile.join("examples").join(name)
}
