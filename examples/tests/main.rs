//! Each example as a user runs it: the program itself, over HTTP.

mod program;
mod quickstart;
