//! What the attribute costs to compile: a crate of 200 handlers, bare, limited and instrumented.

use std::{fmt::Write, fs, io, path::Path, process::Command, time::Instant};

use crate::compare::{Contestant, Table, Unit};

const HANDLERS: usize = 200;

const LIMITED: &str = r#"#[ratelimit::rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, algo = "token_bucket", burst = 20)]"#;
const INSTRUMENTED: &str = "#[tracing::instrument(skip_all)]";

pub(crate) fn run(table: &mut Table) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?;
    let workspace = root.join("target/compile-bench");
    fs::create_dir_all(&workspace)?;
    // The same versions of everything as in the rest of the benchmarks.
    fs::copy(root.join("Cargo.lock"), workspace.join("Cargo.lock"))?;
    let manifest =
        "[workspace]\nresolver = \"3\"\nmembers = [\"bare\", \"limited\", \"instrumented\"]\n";
    fs::write(workspace.join("Cargo.toml"), manifest)?;
    let crates = [
        ("bare", "bare handlers", ""),
        ("instrumented", "#[tracing::instrument]", INSTRUMENTED),
        ("limited", "#[rate_limit], with tiers", LIMITED),
    ];
    for (name, _, attribute) in crates {
        write_crate(&root, &workspace.join(name), name, attribute)?;
    }
    for command in ["check", "build"] {
        // The dependencies once, which are not what is measured.
        cargo(&workspace, &[command])?;
        let contestants = crates
            .iter()
            .map(|(name, what, _)| {
                let workspace = &workspace;
                Contestant::new(*what, move || compile(workspace, command, name))
            })
            .collect();
        let what = format!("cargo {command} of {HANDLERS} handlers");
        table.compare(&what, Unit::Milliseconds, contestants);
    }
    let macros = Contestant::new("ratelimit-macros, its dependencies built", || {
        let _ = cargo(
            &root,
            &[
                "clean",
                "-p",
                "ratelimit-macros",
                "--target-dir",
                "target/compile-bench/macros",
            ],
        );
        let begin = Instant::now();
        let built = cargo(
            &root,
            &[
                "build",
                "-p",
                "ratelimit-macros",
                "--target-dir",
                "target/compile-bench/macros",
            ],
        );
        elapsed(begin, &built)
    });
    cargo(
        &root,
        &[
            "build",
            "-p",
            "ratelimit-macros",
            "--target-dir",
            "target/compile-bench/macros",
        ],
    )?;
    table.compare("building the macro", Unit::Milliseconds, vec![macros]);
    Ok(())
}

fn write_crate(root: &Path, folder: &Path, name: &str, attribute: &str) -> io::Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\n\
         axum = {{ version = \"0.8.9\", default-features = false, features = [\"query\"] }}\n\
         ratelimit = {{ path = \"{}\" }}\n\
         tracing = {{ version = \"0.1\", default-features = false, features = [\"attributes\"] }}\n",
        root.join("ratelimit").display()
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    let mut code = String::from(
        "use axum::{Router, extract::{Query, State}, routing::get};\n\
         #[derive(Clone)]\npub struct Db(pub &'static str);\n",
    );
    let mut router = String::from("pub fn router() -> Router<Db> {\n    Router::new()\n");
    // Writing to a String cannot fail.
    for n in 0..HANDLERS {
        let _ = writeln!(
            code,
            "{attribute}\npub async fn handler_{n}(State(db): State<Db>, Query(query): Query<Vec<(String, String)>>) -> String {{\n    \
             format!(\"{{}} {{query:?}}\", db.0)\n}}"
        );
        let _ = writeln!(router, "        .route(\"/{n}\", get(handler_{n}))");
    }
    fs::write(folder.join("src/lib.rs"), format!("{code}{router}}}\n"))
}

/// Milliseconds to compile a crate again.
fn compile(workspace: &Path, command: &str, name: &str) -> f64 {
    let file = workspace.join(name).join("src/lib.rs");
    let touched = fs::read(&file).and_then(|code| fs::write(&file, code));
    let begin = Instant::now();
    let compiled = cargo(workspace, &[command, "-p", name]);
    elapsed(begin, &touched.and(compiled))
}

fn elapsed(begin: Instant, done: &io::Result<()>) -> f64 {
    match done {
        Ok(()) => begin.elapsed().as_secs_f64() * 1_000.0,
        Err(_) => f64::NAN,
    }
}

fn cargo(folder: &Path, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_INCREMENTAL", "0")
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}
