//! A real browser: Debian's Chromium, driven over WebDriver.
//!
//! ```no_run
//! # async fn story() -> thirtyfour::error::WebDriverResult<()> {
//! use ak_tests::browser::{Browser, Look};
//! use thirtyfour::By;
//! let browser = Browser::open(Look::phone().dark().without_javascript()).await;
//! browser.goto("http://127.0.0.1:9000/if/flow/default-authentication-flow/").await?;
//! browser.find(By::Name("uid_field")).await?.send_keys("ada").await?;
//! browser.screenshot("sign-in-phone-dark").await;
//! # Ok(())
//! # }
//! ```
//!
//! Every [`Browser`] has its own chromedriver, Chromium and profile, and nothing of them is left when it is dropped, also
//! when the test panics. A missing program fails the test: nothing is skipped.

mod look;
mod process;

use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use thirtyfour::cdp::domains::emulation::{MediaFeature, SetEmulatedMedia};
use thirtyfour::prelude::{ElementWaitable, WebDriverResult};
use thirtyfour::{CapabilitiesHelper, ChromeCapabilities, ChromiumLikeCapabilities, WebDriver, WebElement};

pub use look::{Look, Viewport};
use process::Driver;

/// A session of a headless Chromium. It can do what a [`WebDriver`] can: `goto`, `find`, `title`, `execute`…
pub struct Browser {
    // The order is the order of dropping: the profile can go only after the processes that write to it.
    session: WebDriver,
    driver: Driver,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser that has seen nothing yet.
    ///
    /// # Panics
    /// When Chromium or chromedriver is missing (with the name of its Debian package) or does not start.
    pub async fn open(look: Look) -> Self {
        match Self::start(look).await {
            Ok(browser) => browser,
            Err(error) => panic!("Chromium did not start: {error}"),
        }
    }

    /// Clicks an element that leads to another page, and waits until the page that it stood on has gone: what is read next
    /// is of the new page. (A click returns when Chromium has taken it, which may be before the form is on its way.)
    ///
    /// # Errors
    /// When the element cannot be clicked, or its page is still there after ten seconds.
    pub async fn leave_by(&self, element: &WebElement) -> WebDriverResult<()> {
        element.click().await?;
        element.wait_until().wait(Duration::from_secs(10), Duration::from_millis(20)).stale().await
    }

    /// Saves what the window shows as `screenshots/NAME.png` in Cargo's target folder, and gives the path.
    ///
    /// # Panics
    /// When the picture cannot be taken or written.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = target().join("screenshots");
        let path = folder.join(format!("{name}.png"));
        let picture = self.session.screenshot_as_png().await.unwrap_or_else(|error| panic!("no screenshot {name}: {error}"));
        let written = match tokio::fs::create_dir_all(&folder).await {
            Ok(()) => tokio::fs::write(&path, picture).await,
            error => error,
        };
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// The process group that the processes of this browser belong to.
    pub fn process_group(&self) -> u32 {
        self.driver.process_group()
    }

    async fn start(look: Look) -> WebDriverResult<Self> {
        crate::install_crypto_provider();
        let profile = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let chromium = process::find("chromium", "chromium");
        let driver = Driver::start(profile.path()).await;
        let client = reqwest::Client::builder()
            // A proxy of the environment is not for the loopback.
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()?;
        let capabilities = capabilities(look, &chromium, &profile)?;
        let session = WebDriver::builder(driver.url(), capabilities).client(client).connect().await?;
        let browser = Self { session, driver, _profile: profile };
        // The window of a headless Chromium cannot be as narrow as a phone and counts its frame: the page's own size is set
        // by emulation, as is the colour scheme, which has no switch for "light".
        let emulation = browser.session.cdp();
        let Viewport { width, height, mobile } = look.viewport;
        emulation.emulation().set_device_metrics_override(width, height, 1.0, mobile).await?;
        // A phone is used with fingers: pages make room for them.
        emulation.send_raw("Emulation.setTouchEmulationEnabled", serde_json::json!({ "enabled": mobile })).await?;
        let scheme = MediaFeature { name: "prefers-color-scheme".to_owned(), value: look.scheme().to_owned() };
        emulation.send(SetEmulatedMedia { media: None, features: Some(vec![scheme]) }).await?;
        Ok(browser)
    }
}

impl Deref for Browser {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.session
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The processes are ended by signal; without this, thirtyfour would first ask them, blocking the test's runtime.
        // An error says that the test has already closed the session.
        let _ = self.session.clone().leak();
    }
}

fn capabilities(look: Look, chromium: &std::path::Path, profile: &tempfile::TempDir) -> WebDriverResult<ChromeCapabilities> {
    let mut capabilities = ChromeCapabilities::new();
    capabilities.set_binary(&chromium.to_string_lossy())?;
    for argument in [
        "--headless=new",
        // Chromium's own sandbox refuses root, and tests run as root in containers.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
    ] {
        capabilities.add_arg(argument)?;
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
    if !look.hosts.is_empty() {
        capabilities.add_arg(&format!("--host-resolver-rules={}", look.hosts))?;
        capabilities.add_arg("--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable")?;
    }
    if !look.javascript {
        // 2 is "block", as an administrator would set it.
        capabilities
            .add_experimental_option("prefs", serde_json::json!({ "profile.managed_default_content_settings.javascript": 2 }))?;
    }
    capabilities.accept_insecure_certs(look.any_certificate)?;
    // What the page says to its console is kept for `browser_log`: a story can demand that there was no error.
    capabilities.set_browser_log_level(thirtyfour::LoggingPrefsLogLevel::All)?;
    Ok(capabilities)
}

/// Cargo's target folder. Of the environment first, as Cargo itself has it; a relative one counts from the workspace.
fn target() -> PathBuf {
    let workspace = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    workspace.join(std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

#[cfg(test)]
mod tests;
