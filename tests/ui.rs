//! What does not compile, with what the macro (`fail`) or the compiler (`rustc`) says, and what does.
//!
//! The messages are compared to the letter, so they are those of one toolchain: the one in
//! `rust-toolchain.toml`. `TRYBUILD=overwrite tests/run --test ui` writes them anew.
//!
//! There are two tests because trybuild only checks where all cases fail, and checks them together;
//! one that compiles among them has each built by itself.

use std::process::Command;

#[test]
fn errors() {
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
    cases.compile_fail("ui/rustc/*.rs");
}

#[test]
fn handlers_that_compile() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}
