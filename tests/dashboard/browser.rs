//! A real browser without a window, and what the tests ask of it.

use fantoccini::{
    Client, ClientBuilder, Locator,
    error::CmdError,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use ratelimit_tests::{Guarded, eventually};
use serde_json::{Value, json};
use url::{ParseError, Url};

const ACCESSIBILITY: &str = include_str!("accessibility.js");

/// A page in Chromium, which ends with the test.
pub(crate) struct Browser {
    client: Client,
    // Held for its end, and after the page's.
    _driver: Guarded,
}

impl Browser {
    /// Opens a page.
    pub(crate) async fn open(url: &str) -> Self {
        let mut driver = Guarded::start("chromedriver", &["--port=0"], &[]);
        let port = std::iter::from_fn(|| driver.line())
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim().trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver says where it listens");
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a browser");
        client.goto(url).await.expect("the page");
        Self {
            client,
            _driver: driver,
        }
    }

    /// Opens another page.
    pub(crate) async fn go_to(&self, url: &str) {
        self.client.goto(url).await.expect("the page");
    }

    /// The text of the element with this id.
    pub(crate) async fn text(&self, id: &str) -> String {
        let element = self.client.find(Locator::Id(id)).await;
        element.expect(id).text().await.expect(id)
    }

    /// Whether the element with this id can be seen.
    pub(crate) async fn shows(&self, id: &str) -> bool {
        match self.client.find(Locator::Id(id)).await {
            Ok(element) => element.is_displayed().await.expect(id),
            Err(_) => false,
        }
    }

    pub(crate) async fn click(&self, id: &str) {
        let element = self.client.find(Locator::Id(id)).await;
        element.expect(id).click().await.expect(id);
    }

    /// Types into a field, whatever was in it.
    pub(crate) async fn fill(&self, id: &str, text: &str) {
        let element = self.client.find(Locator::Id(id)).await.expect(id);
        element.clear().await.expect(id);
        element.send_keys(text).await.expect(id);
    }

    pub(crate) async fn choose(&self, id: &str, label: &str) {
        let element = self.client.find(Locator::Id(id)).await.expect(id);
        element.select_by_label(label).await.expect(id);
    }

    /// Waits until the element with this id says so.
    pub(crate) async fn until(&self, id: &str, says: impl Fn(&str) -> bool) {
        let what = format!("what #{id} should say");
        eventually(&what, async || says(&self.text(id).await)).await;
    }

    pub(crate) async fn until_shown(&self, id: &str, is_shown: bool) {
        let what = format!("#{id} that is shown: {is_shown}");
        eventually(&what, async || self.shows(id).await == is_shown).await;
    }

    /// What a script gives.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let result = self.client.execute(script, Vec::new()).await;
        result.expect("a script that runs")
    }

    /// As in the browser's address line.
    pub(crate) async fn reload(&self) {
        self.client.refresh().await.expect("the page");
    }

    /// What has gone wrong in the page, by the browser's console: scripts that failed, and what the
    /// Content Security Policy forbids. Answers that refuse something are none of it.
    pub(crate) async fn errors(&self) -> Vec<String> {
        let log = Command("se/log", json!({ "type": "browser" }));
        let entries = self.ask(log).await;
        let entries = entries.as_array().expect("a list").iter();
        entries
            .filter(|entry| entry["level"] == "SEVERE" && entry["source"] != "network")
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// What is wrong with the page for those who cannot see it, or not well, and its width beyond
    /// the window's, in light and in dark and on screens of every width.
    pub(crate) async fn accessibility(&self) -> Vec<String> {
        let mut all = Vec::new();
        for scheme in ["light", "dark"] {
            let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
            self.devtools(
                "Emulation.setEmulatedMedia",
                json!({ "features": features }),
            )
            .await;
            for width in [1440, 768, 360] {
                let size = json!({
                    "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false,
                });
                self.devtools("Emulation.setDeviceMetricsOverride", size)
                    .await;
                let found = self.run(ACCESSIBILITY).await;
                let found = found.as_array().expect("a list").iter();
                all.extend(found.map(|one| format!("{scheme}, {width} px: {one}")));
                let beyond = "return document.documentElement.scrollWidth - innerWidth";
                let beyond = self.run(beyond).await.as_i64().expect("a number");
                if beyond > 0 {
                    all.push(format!(
                        "{scheme}: at {width} px it is {beyond} px too wide"
                    ));
                }
            }
        }
        all
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.ask(Command("goog/cdp/execute", body)).await;
    }

    async fn ask(&self, command: Command) -> Value {
        let answer: Result<Value, CmdError> = self.client.issue_cmd(command).await;
        answer.expect("a command that the browser knows")
    }
}

fn capabilities() -> Capabilities {
    let wanted = json!({
        // As root, which containers run as, there is no sandbox to be had.
        "goog:chromeOptions": {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    wanted.as_object().cloned().unwrap_or_default()
}

/// A command of Chromium's own: its path within the session, and its body.
#[derive(Debug)]
struct Command(&'static str, Value);

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.0
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}
