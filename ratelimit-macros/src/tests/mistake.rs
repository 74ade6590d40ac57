::core::compile_error! {
    "`limit` must be at least 1\n  = help: to turn every request away, do not route the handler"
}
::core::compile_error! {
    "unknown option `limt`\n  = help: did you mean `limit`?"
}
async fn search() -> &'static str {
    "found"
}
