//! Logs as one stream of requests in the order of their times, in bounded memory.

mod file;
mod lines;
mod merge;
mod order;
mod source;

pub(crate) use self::{
    file::{Progress, distinct, title},
    merge::Merge,
    order::{InOrder, Request},
    source::{Filter, Tally},
};
