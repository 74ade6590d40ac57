use ratelimit::rate_limit;

const FREE: u32 = 100;
const PRO: u32 = 200_000;

#[rate_limit(tier_header = "X-API-Key", free = FREE, pro = PRO, per = "1h")]
async fn handler() {}

fn main() {}
