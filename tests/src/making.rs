//! What tests arrange by the API, and a look at the records behind it.

use ak_store::records::{Event, EventFilter, Page, SessionFilter};
use serde_json::{Value, json};

use crate::server::Server;

impl Server {
    /// Creates an object as the administrator, at `path` below `/api/v3/`; the answer.
    pub async fn make(&self, path: &str, body: &Value) -> Value {
        let reply = self.admin().post(&format!("/api/v3/{path}/"), body).await;
        assert_eq!(reply.status, 201, "{path}: {}", reply.text);
        reply.body
    }

    /// Changes some fields of an object as the administrator; the answer.
    pub async fn change(&self, path: &str, key: &str, body: &Value) -> Value {
        let reply = self.admin().patch(&format!("/api/v3/{path}/{key}/"), body).await;
        assert_eq!(reply.status, 200, "{path}/{key}: {}", reply.text);
        reply.body
    }

    /// The key of the only object at `path` that the query finds.
    pub async fn key_of(&self, path: &str, query: &str) -> String {
        let reply = self.admin().get(&format!("/api/v3/{path}/?{query}")).await;
        assert_eq!(reply.body["pagination"]["count"], 1, "{path}?{query}: {}", reply.text);
        let object = &reply.body["results"][0];
        let key = object.get("pk").or_else(|| object.get("brand_uuid")).and_then(Value::as_str);
        key.expect("a key").to_owned()
    }

    /// A flow of these stages, in this order.
    pub async fn flow(&self, slug: &str, designation: &str, stages: &[&Value]) -> Value {
        let flow = json!({ "name": slug, "slug": slug, "title": slug, "designation": designation });
        let flow = self.make("flows/instances", &flow).await;
        for (order, stage) in stages.iter().enumerate() {
            let binding = json!({ "target": flow["pk"], "stage": stage["pk"], "order": order });
            self.make("flows/bindings", &binding).await;
        }
        flow
    }

    /// How many sessions and how many events there are: a request that leaves nothing behind changes neither.
    pub async fn rows(&self) -> (u64, u64) {
        let mut repo = self.store.read().await.expect("the records");
        let sessions = repo.sessions().count(&SessionFilter::default()).await.expect("a number");
        (sessions, repo.events().count(&EventFilter::default()).await.expect("a number"))
    }

    /// The events of an action, the newest first.
    pub async fn events(&self, action: &str) -> Vec<Event> {
        let mut repo = self.store.read().await.expect("the records");
        let filter = EventFilter { action: Some(action.to_owned()), ..EventFilter::default() };
        repo.events().list(&filter, Page::first(100)).await.expect("events")
    }
}
