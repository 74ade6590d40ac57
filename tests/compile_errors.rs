//! The page "Compile errors" of the documentation says what the compiler says: it is made of the
//! cases in `ui/fail`, in the order of the table in `ui/README.md`.
//!
//! `COMPILE_ERRORS=write tests/run --test compile_errors` writes it anew.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ui")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a table's rows: `| rule | [`name`](folder/name.rs) |`.
fn row(line: &str) -> Option<(&str, &str)> {
    let (rule, rest) = line.strip_prefix("| ")?.split_once(" | [")?;
    let (_, file) = rest.split_once("](")?;
    Some((rule, file.split_once(')')?.0))
}

#[test]
fn every_case_is_in_the_table() {
    let table = read(&root().join("README.md"));
    let listed: BTreeSet<String> = table
        .lines()
        .filter_map(|line| Some(row(line)?.1.to_owned()))
        .collect();
    let mut there = BTreeSet::new();
    for folder in ["fail", "rustc", "pass"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_str().expect("a name in ASCII");
            if Path::new(name)
                .extension()
                .is_some_and(|ending| ending == "rs")
            {
                there.insert(format!("{folder}/{name}"));
            }
        }
    }
    assert_eq!(listed, there);
}

#[test]
fn the_page_says_what_the_compiler_says() {
    let page = page();
    let path = root().join("../../ratelimit/src/compile_errors.md");
    if env::var_os("COMPILE_ERRORS").is_some_and(|what| what == "write") {
        fs::write(&path, &page).expect("a writable source folder");
    }
    assert!(
        page == read(&path),
        "{} is not what the compiler says now; COMPILE_ERRORS=write tests/run --test compile_errors writes it anew",
        path.display()
    );
}

fn page() -> String {
    let table = read(&root().join("README.md"));
    let (_, macros) = table
        .split_once("## Errors of the macro")
        .expect("the part about the macro's errors");
    let (macros, _) = macros
        .split_once("\n## ")
        .expect("the part that follows it");
    let mut page = String::from(
        "What `#[rate_limit]` and `policy!` say to each mistake, and how it is mended. All mistakes of an\n\
         attribute are reported at once, each at the word that is wrong.\n",
    );
    for line in macros.lines() {
        // Writing to a String cannot fail.
        if let Some(topic) = line.strip_prefix("### ") {
            let _ = write!(page, "\n# {topic}\n");
        } else if let Some((rule, file)) = row(line) {
            let case = root().join(file);
            let code = code(&read(&case));
            let said = said(&read(&case.with_extension("stderr")));
            let _ = write!(
                page,
                "\n**Rule:** {rule}.\n\n```text\n{code}\n\n{said}\n```\n"
            );
        }
    }
    page
}

/// The case without what every case has.
fn code(case: &str) -> String {
    let own = |line: &&str| !line.starts_with("use ") && *line != "fn main() {}";
    let lines: Vec<&str> = case.lines().filter(own).collect();
    lines.join("\n").trim().to_owned()
}

/// The messages, without the places they point at.
fn said(stderr: &str) -> String {
    let is_said =
        |line: &&str| line.starts_with("error: ") || line.trim_start().starts_with("= help: ");
    let lines = stderr.lines().filter(is_said);
    let lines: Vec<String> = lines
        .map(|line| match line.trim_start().strip_prefix("= ") {
            Some(help) => format!("  {help}"),
            None => line.to_owned(),
        })
        .collect();
    lines.join("\n")
}
