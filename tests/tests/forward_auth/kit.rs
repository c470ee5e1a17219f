//! An installation with applications behind a reverse proxy.

use ak_store::records::User;
use ak_tests::server::{Client, Reply, Server};
use serde_json::{Value, json};

/// A server that browsers know by its own address, and a person, `ada`.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) ada: User,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::of(Server::start().await).await
    }

    pub(crate) async fn of(server: Server) -> Self {
        let ada = server.user("ada").await;
        let house = Self { server, ada };
        let outpost = house.embedded().await;
        let config = json!({ "config": { "authentik_host": house.server.url } });
        house.server.change("outposts/instances", outpost["pk"].as_str().unwrap(), &config).await;
        house
    }

    /// The embedded outpost, as the API shows it.
    pub(crate) async fn embedded(&self) -> Value {
        let list = self.server.admin().get("/api/v3/outposts/instances/?name__iexact=authentik+Embedded+Outpost").await;
        list.body["results"][0].clone()
    }

    async fn flow(&self, slug: &str) -> Value {
        self.server.admin().get(&format!("/api/v3/flows/instances/{slug}/")).await.body["pk"].clone()
    }

    /// A provider for one application at `https://app.example`, with these fields instead or besides.
    pub(crate) async fn provider(&self, name: &str, more: Value) -> Value {
        let mut body = json!({
            "name": name,
            "mode": "forward_single",
            "external_host": "https://app.example",
            "authorization_flow": self.flow("default-provider-authorization-implicit-consent").await,
            "invalidation_flow": self.flow("default-provider-invalidation-flow").await,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.server.make("providers/proxy", &body).await
    }

    /// A provider, and its application of the same name.
    pub(crate) async fn protect(&self, slug: &str, more: Value) -> (Value, Value) {
        let provider = self.provider(slug, more).await;
        let application = json!({ "name": slug, "slug": slug, "provider": provider["pk"] });
        (provider, self.server.make("core/applications", &application).await)
    }

    /// Changes a provider.
    pub(crate) async fn change(&self, provider: &Value, fields: Value) {
        self.server.change("providers/proxy", &provider["pk"].to_string(), &fields).await;
    }

    /// What the server says to a proxy that asks about a request.
    pub(crate) async fn ask(&self, asker: &str, headers: &[(&str, &str)]) -> Reply {
        self.client(headers).get(&format!("/outpost.goauthentik.io/auth/{asker}")).await
    }

    /// Somebody without cookies who sends these headers.
    pub(crate) fn client(&self, headers: &[(&str, &str)]) -> Client {
        headers.iter().fold(self.server.client(), |client, (name, value)| client.header(name, value))
    }

    /// What it says about a GET of an address, asked as Traefik asks.
    pub(crate) async fn asked(&self, url: &str, more: &[(&str, &str)]) -> Reply {
        let url = url::Url::parse(url).unwrap();
        let uri = url.as_str().strip_prefix(&url.origin().ascii_serialization()).unwrap().to_owned();
        let host = url.origin().ascii_serialization().split_once("://").unwrap().1.to_owned();
        let mut headers = vec![
            ("x-forwarded-method", "GET"),
            ("x-forwarded-proto", url.scheme()),
            ("x-forwarded-host", &host),
            ("x-forwarded-uri", &uri),
        ];
        headers.extend_from_slice(more);
        self.ask("traefik", &headers).await
    }
}

/// The value of a cookie that a reply sets, with all that stands with it.
pub(crate) fn set_cookie(reply: &Reply, start: &str) -> Option<String> {
    reply.cookies().into_iter().find(|cookie| cookie.starts_with(start))
}
