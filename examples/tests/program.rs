//! An example that runs as a program of its own, and ends with the test.

use std::{
    env,
    path::PathBuf,
    process::{Command, Output},
};

use ratelimit_tests::Guarded;

/// A running example.
pub(crate) struct Program {
    // Held for its end.
    _program: Guarded,
    /// `http://127.0.0.1:…`, from the first line it prints.
    pub(crate) url: String,
}

impl Program {
    /// Starts an example on a free port and waits until it says where it listens.
    pub(crate) fn start(name: &str, environment: &[(&str, &str)]) -> Self {
        let environment = [environment, &[("PORT", "0")]].concat();
        let mut program = Guarded::start(path(name), &[], &environment);
        let first = program.line().unwrap_or_default();
        let url = first
            .split([' ', ','])
            .find(|word| word.starts_with("http://"));
        let Some(url) = url.map(str::to_owned) else {
            panic!("{name} printed {first:?}");
        };
        Self {
            _program: program,
            url,
        }
    }

    /// Runs an example that is expected to end.
    pub(crate) fn run(name: &str, environment: &[(&str, &str)]) -> Output {
        Command::new(path(name))
            .env_remove("REDIS_URL")
            .env_remove("PORT")
            .envs(environment.iter().copied())
            .output()
            .expect("the example is built together with this test")
    }
}

fn path(name: &str) -> PathBuf {
    // This test is target/<profile>/deps/<test>, the example target/<profile>/examples/<name>.
    let test = env::current_exe().expect("its own path");
    let profile: PathBuf = test.ancestors().skip(2).take(1).collect();
    profile.join("examples").join(name)
}
