use ratelimit::rate_limit;

#[rate_limit(tier_header = "X API Key", free = 0, pro = -1, brust = 20, algo = "tokenbucket", per = "1 minute")]
fn not_async() {}

// What is not at fault is still understood.
async fn calls_it() {
    let () = not_async();
}

fn main() {}
