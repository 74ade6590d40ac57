//! What the comparisons have in common: the table, the limiters, and the clients they are asked
//! about.

pub mod api_key;
pub mod clients;
pub mod compare;
pub mod limiters;
