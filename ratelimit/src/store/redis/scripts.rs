//! The scripts as they are sent: put together from the files in `scripts/`.

use redis::Script;

use crate::policy::Algorithm;

/// The files that scripts are put together from.
macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("scripts/", $name, ".lua"))
    };
}

const TIME: &str = file!("time");
const RULE: &str = file!("rule");
const TOKEN_BUCKET: &str = file!("token_bucket");
const SLIDING_WINDOW: &str = concat!(file!("long_log"), file!("log"), file!("sliding_window"));
const FIXED_WINDOW: &str = file!("fixed_window");

pub(super) struct Scripts {
    token_bucket: OneBucket,
    sliding_window: OneBucket,
    fixed_window: OneBucket,
    pub(super) check_all: Source,
    pub(super) check_each: Source,
}

/// The scripts of one algorithm.
pub(super) struct OneBucket {
    pub(super) check: Source,
    pub(super) lease: Source,
    pub(super) charge: Source,
    pub(super) refund: Source,
}

pub(super) struct Source {
    pub(super) text: String,
    pub(super) sha1: String,
}

impl Source {
    fn new(parts: &[&str]) -> Self {
        let text = parts.concat();
        Self {
            sha1: Script::new(&text).get_hash().to_owned(),
            text,
        }
    }
}

impl OneBucket {
    fn new(name: &str, algorithm: &str, refund: &str) -> Self {
        let choice = format!("local look, take = look_at_{name}, take_from_{name}\n");
        let with_end = |end| Source::new(&[TIME, algorithm, RULE, &choice, end]);
        Self {
            check: with_end(file!("check")),
            lease: with_end(file!("lease")),
            charge: with_end(file!("charge")),
            refund: Source::new(&[TIME, refund]),
        }
    }
}

impl Scripts {
    pub(super) fn new() -> Self {
        let of_several = |end| {
            Source::new(&[
                TIME,
                TOKEN_BUCKET,
                SLIDING_WINDOW,
                FIXED_WINDOW,
                file!("rule_of_any"),
                end,
            ])
        };
        let refund_sliding_window = concat!(
            file!("long_log"),
            file!("log"),
            file!("refund_sliding_window")
        );
        Self {
            token_bucket: OneBucket::new(
                "token_bucket",
                TOKEN_BUCKET,
                file!("refund_token_bucket"),
            ),
            sliding_window: OneBucket::new("sliding_window", SLIDING_WINDOW, refund_sliding_window),
            fixed_window: OneBucket::new(
                "fixed_window",
                FIXED_WINDOW,
                file!("refund_fixed_window"),
            ),
            check_all: of_several(file!("check_all")),
            check_each: of_several(file!("check_each")),
        }
    }

    pub(super) fn of(&self, algorithm: Algorithm) -> &OneBucket {
        match algorithm {
            Algorithm::TokenBucket => &self.token_bucket,
            Algorithm::SlidingWindow => &self.sliding_window,
            Algorithm::FixedWindow => &self.fixed_window,
        }
    }
}
