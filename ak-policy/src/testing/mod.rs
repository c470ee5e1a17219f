//! Tests of policies: in `cargo test`, and over folders of cases.
//!
//! A [`Scene`] says who there is, what is asked, and when; it is played in memory by the engine itself. Nothing is called: names are
//! resolved and requests answered by what the scene says of them, and time stands still until the test moves it.
//!
//! In another crate, with `ak-policy = { …, features = ["testing"] }` among its `dev-dependencies`:
//!
//! ```
//! use ak_policy::testing::{Broken, Group, Http, Scene, User};
//! use ak_policy::Outcome;
//! use serde_json::json;
//!
//! const POLICY: &str = r#"
//! if user.all_groups().filter(#{name: "staff"}).exists() && now().hour < 17 { return true; }
//! ak_message("Staff only, and by day.");
//! false
//! "#;
//!
//! // In a test: #[tokio::test]
//! # #[tokio::main(flavor = "current_thread")]
//! async fn staff_may_by_day() -> Result<(), Broken> {
//!     // Three lines:
//!     let decision = Scene::new().at("2026-11-18 20:00").user(User::named("ada").within("staff")).ask(POLICY).await?;
//!     assert!(!decision.passing && decision.trace[0].outcome == Outcome::Answered, "{decision}");
//!     assert_eq!(decision.messages, ["Staff only, and by day."]);
//!
//!     // A longer story: what is asked again while time goes by.
//!     let house = Scene::new()
//!         .at("2026-11-18 16:59")
//!         .zone("Europe/Berlin")
//!         .group(Group::named("engineers").part_of("staff"))
//!         .user(User::named("ada").email("ada@example.org").within("engineers"))
//!         .http(Http::get("https://wiki.example.org/start?page=1").header("User-Agent", "Firefox").from("10.1.2.3"))
//!         .gathered("prompt_data", json!({ "agreed": true }))
//!         .open()
//!         .await?;
//!     assert!(house.ask(POLICY).await?.passing);
//!     house.clock().advance(chrono::Duration::minutes(1));
//!     assert!(!house.ask(POLICY).await?.passing);
//!
//!     // What a policy changes is a value too.
//!     let decision = house.ask(r#"user.groups.remove(ak_group_by(#{name: "engineers"})); true"#).await?;
//!     assert_eq!(house.changes(&decision), json!({ "leaves": { "ada": ["engineers"] } }));
//!     Ok(())
//! }
//! # staff_may_by_day().unwrap();
//! ```
//!
//! [`suite`] runs folders of policies with cases: `ak policy test DIR`.

mod changes;
mod dns;
mod geo;
mod house;
mod http;
mod outbound;
mod people;
mod scene;
pub mod suite;

pub use house::House;
pub use http::Http;
pub use outbound::Answering;
pub use people::{Group, User};
pub use scene::Scene;

/// A scene that cannot be played, or a policy that is refused: why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl Broken {
    fn new(why: impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }
}
