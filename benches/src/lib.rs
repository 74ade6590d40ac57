//! What the comparisons have in common: the table, the limiters, and the clients they are asked
//! about.

pub mod clients;
pub mod compare;
pub mod limiters;
