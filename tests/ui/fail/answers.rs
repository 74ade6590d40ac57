use ratelimit::rate_limit;

struct NoResponse;

#[rate_limit(limit = 60)]
async fn no_response() -> NoResponse {
    NoResponse
}

#[rate_limit(limit = 60)]
async fn an_error_that_is_none() -> Result<String, NoResponse> {
    Err(NoResponse)
}

#[rate_limit(limit = 60)]
async fn wrong_in_its_body() -> String {
    60
}

fn main() {}
