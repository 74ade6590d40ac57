//! axum's side: the extractor that decides, and what goes out.

mod exceeded;
mod extract;
mod headers;

pub use self::{
    exceeded::RateLimitExceeded,
    extract::{NotLimited, PolicySource, RateLimited},
};
