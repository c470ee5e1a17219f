//! Outposts: what stands between applications that know nothing of signing in and the people who use them.
//!
//! The embedded one is a part of this program; others are programs of their own.

use ak_policy::Provider;
use ak_store::model::{Errors, Key, Kind, Meta, Pk, Ref, Row, Snapshot, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What an outpost speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutpostType {
    /// Forward authentication.
    Proxy,
    /// LDAP.
    Ldap,
    /// RADIUS.
    Radius,
    /// Remote desktops.
    Rac,
}

/// Stands between applications and people.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Outpost {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// What it speaks.
    pub r#type: OutpostType,
    /// The providers that it serves.
    pub providers: Vec<Ref<dyn Provider>>,
    /// Where it is deployed.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub service_connection: Option<Uuid>,
    /// Settings. `authentik_host` is where this installation is, `authentik_host_browser` where browsers find it.
    pub config: Map<String, Value>,
    /// Where an administrator has signed in: where browsers find this installation as long as nobody says otherwise.
    #[serde(default)]
    #[schemars(extend("x-read-only" = true, "x-hidden" = true))]
    pub learned_host: String,
}

/// The read-only fields of an outpost.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OutpostShown {
    providers_obj: Vec<Value>,
    service_connection_obj: Option<Value>,
    refresh_interval_s: i64,
    token_identifier: String,
    managed: Option<String>,
}

/// How often an outpost that is a program of its own asks for its configuration where nobody says otherwise.
const REFRESH: &str = "minutes=5";

impl Kind for Outpost {
    const META: Meta = Meta {
        component: "ak-outpost-form",
        description: "Stands between applications that know nothing of signing in and the people who use them.",
        takes_managed: true,
        search: &["name", "providers__name"],
        ..Meta::new("authentik_outposts.outpost", "outposts/instances", "Outpost", "Outposts")
    };

    type Shown = OutpostShown;

    fn shown(&self, row: &Row<'_>) -> OutpostShown {
        OutpostShown {
            providers_obj: self.providers.iter().map(|to| row.snapshot.expand(to.pk(), row.people)).collect(),
            service_connection_obj: None,
            refresh_interval_s: self.refresh_seconds(),
            token_identifier: format!("ak-outpost-{}-api", row.pk().uuid().simple()),
            managed: row.object.managed.as_deref().map(str::to_owned),
        }
    }

    fn check(&self, row: &Row<'_>, errors: &mut Errors) {
        if self.r#type != OutpostType::Proxy {
            errors.at(&["type"], "Only outposts of the type \"proxy\" are supported yet.", "invalid");
        }
        // Clients look it up by its name.
        if row.object.managed.as_deref() == Some(Self::EMBEDDED) && self.name != Self::EMBEDDED_NAME {
            errors.at(&["name"], "The name of the embedded outpost cannot be changed.", "invalid");
        }
        for name in ["authentik_host", "authentik_host_browser"] {
            let address = self.config.get(name);
            let is_base = |address: &Value| address.as_str().is_some_and(|text| text.is_empty() || base(text).is_some());
            if !address.is_none_or(is_base) {
                errors.at(&["config"], format!("{name} is no address of the web."), "invalid");
            }
        }
        let proxies = |to: &Ref<dyn Provider>| row.snapshot.get(Ref::<crate::proxy::ProxyProvider>::new(to.pk())).is_some();
        if !self.providers.iter().all(proxies) {
            errors.at(&["providers"], "An outpost of the type \"proxy\" serves proxy providers only.", "invalid");
        }
    }
}

/// An address of the web without a slash at its end.
fn base(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let is_base = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none();
    is_base.then(|| url.as_str().trim_end_matches('/').to_owned())
}

/// Whether an address of the web names its host as other machines do, too.
fn is_of_network(text: &str) -> bool {
    let url = url::Url::parse(text).ok();
    let name = url.as_ref().and_then(url::Url::domain).map(|name| name.trim_end_matches('.'));
    name.is_some_and(|name| name.contains('.') && !name.ends_with(".localhost"))
}

impl Outpost {
    /// The name under which the product keeps the outpost that is a part of it.
    pub const EMBEDDED: &'static str = "goauthentik.io/outposts/embedded";

    /// What it is called.
    pub const EMBEDDED_NAME: &'static str = "authentik Embedded Outpost";

    /// The outpost that is a part of this program.
    pub fn embedded(snapshot: &Snapshot) -> Option<(Ref<Self>, &Self)> {
        snapshot.all::<Self>().find(|(at, _)| Self::is_embedded(snapshot, at.pk()))
    }

    fn is_embedded(snapshot: &Snapshot, at: Pk) -> bool {
        snapshot.object(at).is_some_and(|object| object.managed.as_deref() == Some(Self::EMBEDDED))
    }

    /// Whether the embedded outpost serves a provider: it is its own, or nobody's.
    pub fn embedded_serves(snapshot: &Snapshot, provider: Pk) -> bool {
        let mut others = snapshot.referring::<Self>(Key::Object(provider)).filter_map(Result::ok).peekable();
        others.peek().is_none() || others.any(|(at, _)| Self::is_embedded(snapshot, at.pk()))
    }

    fn refresh_seconds(&self) -> i64 {
        let span = |text: &str| text.parse::<Span>().ok().map(|span| span.duration().num_seconds());
        let own = self.config.get("refresh_interval").and_then(Value::as_str).and_then(span);
        own.or_else(|| span(REFRESH)).unwrap_or_default()
    }

    /// Where browsers find the installation, as an administrator says.
    pub fn host(&self) -> Option<String> {
        let address = |name: &str| base(self.config.get(name)?.as_str()?);
        address("authentik_host_browser").or_else(|| address("authentik_host"))
    }

    /// The same, as an administrator has found it herself.
    pub fn learned_host(&self) -> Option<String> {
        base(&self.learned_host)
    }

    /// Whether it is worth while to remember `found` as where browsers find the installation.
    pub fn learns(&self, found: &str) -> bool {
        self.host().is_none() && (self.learned_host().is_none() || (!is_of_network(&self.learned_host) && is_of_network(found)))
    }

    /// The settings that an outpost has where nobody says otherwise. Those for containers are for who deploys it.
    pub fn default_config() -> Value {
        json!({
            "log_level": "info",
            "authentik_host": "",
            "authentik_host_insecure": false,
            "authentik_host_browser": "",
            "refresh_interval": REFRESH,
            "object_naming_template": "ak-outpost-%(name)s",
            "container_image": null,
            "docker_network": null,
            "docker_map_ports": true,
            "docker_labels": null,
            "kubernetes_replicas": 1,
            "kubernetes_namespace": "default",
            "kubernetes_ingress_annotations": {},
            "kubernetes_ingress_secret_name": "authentik-outpost-tls",
            "kubernetes_ingress_class_name": null,
            "kubernetes_ingress_path_type": null,
            "kubernetes_httproute_annotations": {},
            "kubernetes_httproute_parent_refs": [],
            "kubernetes_service_type": "ClusterIP",
            "kubernetes_disabled_components": [],
            "kubernetes_image_pull_secrets": [],
            "kubernetes_json_patches": null,
        })
    }
}
