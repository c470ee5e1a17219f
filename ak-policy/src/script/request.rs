//! What is asked, as scripts see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ak_store::model::{People, Pk};
use rhai::{Dynamic, Map};

use crate::application::{Application, Provider};

use super::context::ContextView;
use super::people::User;
use super::run::Run;
use super::table::Table;
use super::value::{Wrong, texts, to_dynamic};
use crate::request::HttpRequest;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestView;

/// An object of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct ObjectView(pub Pk);

impl ObjectView {
    /// A field of the object, as clients of the API see it; what events do not show scripts do not see either.
    fn field(&self, name: &str) -> Result<Option<Dynamic>, Wrong> {
        let run = Run::current()?;
        let snapshot = &run.request().snapshot;
        let Some(object) = snapshot.object(self.0) else { return Err("the object is not there any more".into()) };
        if name == "application" && snapshot.view::<dyn Provider>(object).is_some() {
            let application = Application::of_provider(snapshot, object.pk).map(|(at, _)| Self(at.pk()));
            return Ok(Some(application.map_or(Dynamic::UNIT, Dynamic::from)));
        }
        if name == "pk" {
            return Ok(Some(to_dynamic(&self.0.value())));
        }
        let hidden = snapshot.kind_of(object).and_then(|info| info.field(name)).is_some_and(|f| f.secret || f.redact);
        let shown = snapshot.render(object, &People::default());
        Ok(shown.get(name).filter(|_| !hidden).map(to_dynamic))
    }
}

/// The headers of an HTTP request, or of an answer. Their names have no case.
#[derive(Debug, Clone)]
pub(crate) struct Headers(Arc<BTreeMap<String, String>>);

impl Headers {
    /// Those headers, by their names in lower case.
    pub(super) fn new(headers: BTreeMap<String, String>) -> Self {
        Self(Arc::new(headers))
    }

    fn get(&self, name: &str) -> Option<Dynamic> {
        self.0.get(&name.to_lowercase()).map(|value| value.clone().into())
    }
}

/// Registers what is asked.
pub(super) fn register(table: &mut Table) {
    table
        .kind::<RequestView>("Request", "What is asked.")
        .getter(
            "Request.user: User",
            "Who asks: the account that is being identified, else the one that has signed in.",
            |_: &mut RequestView| -> Result<User, Wrong> { Ok(User(Run::current()?.person().cloned())) },
        )
        .setter("Request.user: User", "Takes back what was written below it.", |_: &mut RequestView, _: User| {})
        .getter("Request.context: Context", "What the flow has gathered.", |_: &mut RequestView| ContextView)
        .setter("Request.context: Context", "Takes back what was written below it.", |_: &mut RequestView, _: ContextView| {})
        .getter(
            "Request.obj: Object",
            "What is guarded; `()` if it is not known.",
            |_: &mut RequestView| -> Result<Dynamic, Wrong> {
                Ok(Run::current()?.request().object.map_or(Dynamic::UNIT, |pk| Dynamic::from(ObjectView(pk))))
            },
        )
        .getter(
            "Request.http_request: HttpRequest",
            "The HTTP request; `()` without one.",
            |_: &mut RequestView| -> Result<Dynamic, Wrong> {
                Ok(Run::current()?.request().http.clone().map_or(Dynamic::UNIT, Dynamic::from))
            },
        )
        .getter("Request.debug: bool", "Whether it is a trial.", |_: &mut RequestView| -> Result<bool, Wrong> {
            Ok(Run::current()?.request().trial)
        })
        .kind::<ObjectView>("Object", "An object of the configuration, read-only.")
        .index_getter(
            "Object",
            "A field of the object, named as in the API.",
            |object: &mut ObjectView, name: &str| -> Result<Dynamic, Wrong> {
                object.field(name)?.ok_or_else(|| format!("the object has no field {name}").into())
            },
        )
        .function(
            "has_field(object: Object, name: String) -> bool",
            "Whether the object has a field of that name.",
            |object: &mut ObjectView, name: &str| -> Result<bool, Wrong> { Ok(object.field(name)?.is_some()) },
        );
    http(table);
}

type Http = Arc<HttpRequest>;

fn http(table: &mut Table) {
    let pairs = |pairs: &BTreeMap<String, String>| -> Map {
        pairs.iter().map(|(name, value)| (name.as_str().into(), Dynamic::from(value.clone()))).collect()
    };
    let meta = |http: &mut Http| -> Result<Map, Wrong> {
        let name = |name: &String| format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
        let mut all: Map = http.headers.iter().map(|(n, v)| (name(n).into(), Dynamic::from(v.clone()))).collect();
        all.insert("REQUEST_METHOD".into(), http.method.clone().into());
        let ip = Run::current()?.request().client_ip;
        all.extend(ip.map(|ip| ("REMOTE_ADDR".into(), Dynamic::from(ip.to_string()))));
        Ok(all)
    };
    table
        .kind::<Headers>("Headers", "The headers of an HTTP request, or of an answer. Their names have no case.")
        .index_getter(
            "Headers",
            "The value of a header; one that is not there is an error, see `get`.",
            |h: &mut Headers, name: &str| -> Result<Dynamic, Wrong> {
                h.get(name).ok_or_else(|| format!("there is no header {name}").into())
            },
        )
        .function(
            "get(headers: Headers, name: String) -> Dynamic",
            "The value of a header; `()` where there is none.",
            |h: &mut Headers, name: &str| h.get(name).unwrap_or(Dynamic::UNIT),
        )
        .function(
            "get(headers: Headers, name: String, default: Dynamic) -> Dynamic",
            "The value of a header; `default` where there is none.",
            |h: &mut Headers, name: &str, default: Dynamic| h.get(name).unwrap_or(default),
        )
        .function(
            "contains(headers: Headers, name: String) -> bool",
            "Whether there is a header of that name.",
            |h: &mut Headers, name: &str| h.get(name).is_some(),
        )
        .function("keys(headers: Headers) -> Array", "All names, in lower case.", |h: &mut Headers| texts(h.0.keys().cloned()))
        .kind::<Http>("HttpRequest", "An HTTP request, without cookies and credentials.")
        .getter("HttpRequest.method: String", "`GET`, `POST`, …", |h: &mut Http| h.method.clone())
        .getter("HttpRequest.scheme: String", "`http` or `https`.", |h: &mut Http| h.scheme.clone())
        .getter("HttpRequest.path: String", "The path.", |h: &mut Http| h.path.clone())
        .getter("HttpRequest.GET: Map", "The query.", move |h: &mut Http| pairs(&h.query))
        .getter("HttpRequest.headers: Headers", "The headers.", |h: &mut Http| Headers::new(h.headers.clone()))
        .getter("HttpRequest.META: Map", "The headers as `HTTP_USER_AGENT`, with `REQUEST_METHOD` and `REMOTE_ADDR`.", meta)
        .function("get_host(request: HttpRequest) -> String", "The host that was asked for, with its port.", |h: &mut Http| {
            h.host.clone()
        })
        .function("is_secure(request: HttpRequest) -> bool", "Whether it came over TLS.", |h: &mut Http| h.scheme == "https")
        .function("build_absolute_uri(request: HttpRequest) -> String", "The request's own address.", |h: &mut Http| {
            h.absolute("")
        })
        .function(
            "build_absolute_uri(request: HttpRequest, path: String) -> String",
            "The address of a path on this host.",
            |h: &mut Http, path: &str| h.absolute(path),
        );
}
