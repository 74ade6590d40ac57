use ratelimit::rate_limit;

#[rate_limit(identity = User, free = 60)]
#[rate_limit(identity = Option<User>, free = 6, per = "1s")]
async fn handler() {}

fn main() {}
