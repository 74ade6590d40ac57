//! Limits for the users of JSON Web Tokens, on the plan that their token names:
//! `cargo run --example jwt_identity`.
//!
//! `User` is an extractor of the app's own, and also what the limit goes by. It is extracted before
//! the limit is asked, so a token that is no good is answered 401 and costs nobody anything. Tokens
//! are signed with `JWT_SECRET`.

use std::{env, error::Error, net::SocketAddr, process::ExitCode, sync::Arc};

use axum::{
    Router,
    extract::{FromRequestParts, OptionalFromRequestParts, Path, State},
    http::{
        StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse, Response},
    routing::get,
};
use jsonwebtoken::{
    DecodingKey, EncodingKey, Header, Validation, decode, encode, get_current_timestamp,
};
use ratelimit::{Identified, Identity, RateLimiter, rate_limit};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
struct AppState {
    signing_key: Arc<EncodingKey>,
    verifying_key: Arc<DecodingKey>,
}

/// The claims of a token.
#[derive(Serialize, Deserialize)]
struct User {
    #[serde(rename = "sub")]
    name: String,
    plan: String,
    #[serde(rename = "exp")]
    expires_at: u64,
}

impl Identity for User {
    fn identify(&self) -> Option<Identified<'_>> {
        Some(Identified::new(&self.name).on_tier(&self.plan))
    }
}

impl User {
    /// The user of the request's token; `None` if it has no token.
    fn of(parts: &Parts, app: &AppState) -> Result<Option<Self>, Unauthorized> {
        let Some(authorization) = parts.headers.get(AUTHORIZATION) else {
            return Ok(None);
        };
        let token = authorization
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer "))
            .ok_or(Unauthorized("the token is not sent as a Bearer token\n"))?;
        // What the validation asks for by itself: HS256, and a time of expiry that is to come.
        decode(token, &app.verifying_key, &Validation::default())
            .map(|token| Some(token.claims))
            .map_err(|_| Unauthorized("the token is not valid, or not any more\n"))
    }
}

struct Unauthorized(&'static str);

impl IntoResponse for Unauthorized {
    fn into_response(self) -> Response {
        let headers = [(WWW_AUTHENTICATE, "Bearer")];
        (StatusCode::UNAUTHORIZED, headers, self.0).into_response()
    }
}

impl FromRequestParts<AppState> for User {
    type Rejection = Unauthorized;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Unauthorized> {
        Self::of(parts, app)?.ok_or(Unauthorized("this is for users: send a token\n"))
    }
}

/// For routes that are open to everybody. A token that is no good is still an error: its user would
/// wonder why the limit is so low.
impl OptionalFromRequestParts<AppState> for User {
    type Rejection = Unauthorized;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &AppState,
    ) -> Result<Option<Self>, Unauthorized> {
        Self::of(parts, app)
    }
}

#[rate_limit(identity = User, free = 3, pro = 30, per = "1m")]
async fn search(user: User) -> String {
    format!("{} found something\n", user.name)
}

// Whoever is anonymous is on the default tier, and known by the IP address.
#[rate_limit(
    identity = Option<User>,
    tiers(anonymous = 2),
    default_tier = "anonymous",
    free = 3,
    pro = 30,
    per = "1m"
)]
async fn news(user: Option<User>) -> String {
    let reader = user.map_or_else(|| "everybody".to_owned(), |user| user.name);
    format!("the news for {reader}\n")
}

/// Stands for the login of a real service, which would ask for more than a name.
async fn token(
    State(app): State<AppState>,
    Path((name, plan)): Path<(String, String)>,
) -> Result<String, StatusCode> {
    let user = User {
        name,
        plan,
        expires_at: get_current_timestamp() + 3_600,
    };
    encode(&Header::default(), &user, &app.signing_key)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    RateLimiter::builder().build()?.install()?;

    let secret = env::var("JWT_SECRET").unwrap_or_else(|_| "only for a demonstration".to_owned());
    let app = Router::new()
        .route("/search", get(search))
        .route("/news", get(news))
        .route("/token/{name}/{plan}", get(token))
        .with_state(AppState {
            signing_key: Arc::new(EncodingKey::from_secret(secret.as_bytes())),
            verifying_key: Arc::new(DecodingKey::from_secret(secret.as_bytes())),
        });

    ratelimit_examples::announce(&listener, "in memory", TRY)?;
    axum::serve(
        listener,
        // So that the limiter knows the addresses of those who are anonymous.
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

const TRY: &str = r#"
  ann=$(curl -s '{url}/token/ann/free'); bob=$(curl -s '{url}/token/bob/pro')
  for i in 1 2 3 4; do curl -i '{url}/search' -H "Authorization: Bearer $ann"; done   # the fourth is a 429
  curl -i '{url}/search' -H "Authorization: Bearer $bob"      # pro: 30 a minute
  curl -i '{url}/search' -H 'Authorization: Bearer made-up'   # 401, and no limit headers
  curl -i '{url}/search'                                      # 401 as well
  curl -i '{url}/news'                                        # anonymous: 2 a minute
  curl -i '{url}/news' -H "Authorization: Bearer $ann"        # free: 3 a minute
"#;
