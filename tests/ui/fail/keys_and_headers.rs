use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = "user")]
async fn a_text() {}

#[rate_limit(limit = 60, key = path("/users/{id}"))]
async fn a_whole_path() {}

#[rate_limit(limit = 60, key = (ip, cookie("session")))]
async fn unknown_in_a_tuple() {}

#[rate_limit(limit = 60, key = header("X Tenant"))]
async fn header_with_a_space() {}

#[rate_limit(limit = 60, key = header())]
async fn header_without_a_name() {}

#[rate_limit(tier_header = "", free = 60)]
async fn empty_header() {}

#[rate_limit(tier_header = X_API_KEY, free = 60)]
async fn header_without_quotes() {}

fn main() {}
