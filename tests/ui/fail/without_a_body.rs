use ratelimit::rate_limit;

trait Service {
    #[rate_limit(limit = 60)]
    async fn handler();
}

fn main() {}
