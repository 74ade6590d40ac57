//! What does not compile, with what the compiler says, and what does.
//!
//! The messages are compared to the letter, so they are those of one toolchain: the one in
//! `rust-toolchain.toml`. `TRYBUILD=overwrite tests/run --test ui` writes them anew.

use std::process::Command;

#[test]
fn errors_and_handlers_that_compile() {
    let rustc = Command::new("rustc").arg("--version").output();
    let version = rustc.expect("rustc runs").stdout;
    let version = String::from_utf8_lossy(&version);
    let pinned = include_str!("../rust-toolchain.toml");
    let number = version.split(' ').nth(1).unwrap_or_default();
    assert!(
        pinned.contains(&format!("channel = \"{number}\"")),
        "the expected errors are those of the toolchain in rust-toolchain.toml, and this is {version}"
    );
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/fail/*.rs");
    cases.pass("ui/pass/*.rs");
}
