//! What a URL can say: socket, database, user and password. And what is said of one that is wrong.

use ratelimit::RedisStore;
use ratelimit_tests::{RedisServer, patient};
use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};

use super::everything;

/// A server with a socket in its directory, and a user who may do everything.
fn server() -> RedisServer {
    let user = ["--user", "web", "on", ">p@ss/word", "~*", "+@all"];
    RedisServer::start_with(&[], &[&["--unixsocket", "redis.sock"][..], &user].concat())
}

async fn socket(connection: &mut MultiplexedConnection) -> String {
    let (_, directory): (String, String) = cmd("CONFIG")
        .arg("GET")
        .arg("dir")
        .query_async(connection)
        .await
        .expect("its directory");
    format!("{directory}/redis.sock")
}

/// Everything works through this URL, and what is kept is in this database of the server.
async fn works_in(server: &RedisServer, url: &str, database: u8) {
    let mut connection = server.connection().await;
    let _: () = cmd("SELECT")
        .arg(database)
        .query_async(&mut connection)
        .await
        .expect("there are 16");
    let builder = RedisStore::builder(url).prefix("shop:limits:");
    let store = patient(builder).connect().await;
    everything::works(store.expect("connected")).await;
    let keys: Vec<String> = connection.keys("*").await.expect("the names of keys");
    assert!(keys.len() > 3, "{keys:?}");
    let prefixed = |key: &String| key.starts_with("shop:limits:{") || key == "api_key:k-alice";
    assert!(keys.iter().all(prefixed), "{keys:?}");
    let _: () = connection.flushall().await.expect("flushed");
}

#[tokio::test]
async fn a_url_says_which_database_and_who() {
    let server = server();
    let port = server.port();
    works_in(&server, &format!("redis://127.0.0.1:{port}/2"), 2).await;
    let url = format!("redis://web:p%40ss%2Fword@127.0.0.1:{port}/3");
    works_in(&server, &url, 3).await;
}

#[tokio::test]
async fn a_unix_socket_is_as_good_as_a_port() {
    let server = server();
    let socket = socket(&mut server.connection().await).await;
    works_in(&server, &format!("redis+unix://{socket}"), 0).await;
    works_in(&server, &format!("unix://{socket}?db=4"), 4).await;
    let url = format!("redis+unix://{socket}?db=5&user=web&pass=p%40ss%2Fword");
    works_in(&server, &url, 5).await;
}

#[tokio::test]
async fn what_is_wrong_is_said_and_no_password_is() {
    let server = RedisServer::start_with(&[], &["--requirepass", "right-password"]);
    let port = server.port();
    let wrong = [
        (
            format!("redis://:S3CRET@127.0.0.1:{port}"),
            "the password in the URL",
        ),
        (
            format!("redis://web:S3CRET@127.0.0.1:{port}"),
            "the password in the URL",
        ),
        (
            format!("redis://127.0.0.1:{port}"),
            "Authentication required",
        ),
        (
            format!("redis://:right-password@127.0.0.1:{port}/99"),
            "refused to switch database",
        ),
        (format!("redis://:S3CRET@127.0.0.1:{port}/x"), "database"),
        (
            "redis+unix:///nobody/listens/here.sock?pass=S3CRET".to_owned(),
            "No such file",
        ),
        ("http://user:S3CRET@127.0.0.1".to_owned(), "URL"),
    ];
    for (url, reason) in wrong {
        let error = RedisStore::connect(&url).await.expect_err("a wrong URL");
        let shown = format!("{error} {error:?} {:?}", RedisStore::builder(url));
        assert!(error.to_string().contains(reason), "{shown}");
        assert!(
            !shown.contains("S3CRET") && !shown.contains("right-password"),
            "{shown}"
        );
    }
}
