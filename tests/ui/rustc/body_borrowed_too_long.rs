use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler(text: String) -> String {
    drop(text);
    text
}

fn main() {}
