//! Every filter of every collection: two objects that differ in it, of which it drops one, and with the other's value the other.
//!
//! A collection that is not covered here fails the test.

use std::sync::Arc;
use std::time::Duration;

use ak_policy::{Failure, POLICY_FIELDS, Policy, PolicyShown, Request, Verdict};
use ak_store::model::{Field, Kind, Meta, Registry, Roles, Row, Shape};
use ak_tests::server::Start;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;

/// A policy, as a program with policies of its own has one.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Always {
    name: String,
    #[serde(default)]
    execution_logging: bool,
}

impl Kind for Always {
    const META: Meta = Meta { component: "ak-policy-always", ..Meta::new("test.always", "policies/always", "Always", "Always") };
    type Shown = PolicyShown;

    fn shown(&self, row: &Row<'_>) -> PolicyShown {
        PolicyShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }
}

impl Policy for Always {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate(&self, _: &Arc<Request>, _: Duration) -> Result<Verdict, Failure> {
        Ok(Verdict::plain(true))
    }
}

async fn start() -> Server {
    let registry: Arc<Registry> = ak_http::kinds(Registry::new()).with::<Always>().build().unwrap();
    Start::new().kinds(registry).start().await
}

/// Two objects of a collection, and what tells them apart where the objects themselves do not say so.
struct Case {
    path: &'static str,
    one: Value,
    two: Value,
    moot: &'static [&'static str],
    /// Filter, the value that keeps the first, the value that keeps the second.
    asks: Vec<(&'static str, Option<String>, Option<String>)>,
}

async fn cases(server: &Server) -> Vec<Case> {
    let mut cases = Vec::new();
    let policy = server.make("policies/always", &json!({ "name": "always" })).await;
    let unbound = server.make("policies/always", &json!({ "name": "unbound" })).await;
    for mut sample in samples(server).await {
        let mut asks = Vec::new();
        if sample.path == "policies/bindings" {
            sample.one = json!({ "target": sample.one["target"], "policy": policy["pk"], "order": 1, "timeout": 10 });
            asks.push(("policy", policy["pk"].as_str().map(str::to_owned), None));
            asks.push(("policy__isnull", Some("false".into()), Some("true".into())));
        }
        if sample.path == "stages/prompt/stages" {
            sample.one["validation_policies"] = json!([policy["pk"]]);
            sample.two["validation_policies"] = json!([unbound["pk"]]);
            sample.moot = &[];
        }
        let (one, two) = (server.make(sample.path, &sample.one).await, server.make(sample.path, &sample.two).await);
        if sample.path == "core/applications" {
            asks.push(("superuser_full_list", None, None));
            asks.push(("only_with_launch_url", None, None));
            asks.push(("for_user", None, None));
        }
        if sample.path == "providers/proxy" {
            let application = json!({ "name": "proxied", "slug": "proxied", "provider": one["pk"] });
            server.make("core/applications", &application).await;
            let text = |value: &str| Some(value.to_owned());
            asks.push(("application__isnull", text("false"), text("true")));
            asks.push(("authorization_flow__slug__iexact", text("FIRST"), text("second")));
            asks.push(("property_mappings__iexact", of(&one, "property_mappings"), None));
            for (name, filter) in IGNORING_CASE {
                asks.push((filter, of(&one, name), of(&two, name)));
            }
        }
        if sample.path == "outposts/instances" {
            let served = |outpost: &Value| outpost["providers"][0].as_i64().map(|pk| pk.to_string());
            asks.push(("providers_by_pk", served(&one), served(&two)));
            for (name, filters) in
                [("name", ["name__iexact", "name__icontains"]), ("managed", ["managed__iexact", "managed__icontains"])]
            {
                asks.extend(filters.map(|filter| (filter, of(&one, name), of(&two, name))));
            }
        }
        if sample.path == "propertymappings/provider/scope" {
            asks.push(("managed__isnull", Some("false".into()), Some("true".into())));
        }
        if sample.path == "providers/oauth2" {
            let tied = json!({ "name": "tied", "slug": "tied", "provider": one["pk"] });
            asks.push(("application", server.make("core/applications", &tied).await["pk"].as_str().map(str::to_owned), None));
        }
        if sample.path == "flows/bindings" {
            let bind = async |binding: &Value, order: i32| {
                let bound = json!({ "target": binding["pk"], "policy": policy["pk"], "order": order });
                server.make("policies/bindings", &bound).await["policy"].as_str().map(str::to_owned)
            };
            asks.push(("policies", bind(&one, 30).await, None));
        }
        cases.push(Case { path: sample.path, one, two, moot: sample.moot, asks });
    }
    let all = |path, one, two, asks| Case { path, one, two, moot: &[], asks };
    let stage = async |kind: &str| server.make(&format!("stages/{kind}"), &json!({ "name": format!("all-{kind}") })).await;
    cases.push(all("stages/all", stage("deny").await, stage("dummy").await, Vec::new()));
    let flow = server.key_of("flows/instances", "slug=first").await;
    let provider = async |name: &str| {
        let fields = json!({ "name": name, "authorization_flow": flow, "invalidation_flow": flow, "redirect_uris": [] });
        server.make("providers/oauth2", &fields).await
    };
    let (tied, free) = (provider("all-tied").await, provider("all-free").await);
    server.make("core/applications", &json!({ "name": "all", "slug": "all", "provider": tied["pk"] })).await;
    let asks = vec![("application__isnull", Some("false".into()), Some("true".into()))];
    cases.push(all("providers/all", tied, free, asks));
    let mapping = async |name: &str, managed: Option<&str>| {
        let fields = json!({ "name": name, "scope_name": name, "expression": "#{}", "managed": managed });
        server.make("propertymappings/provider/scope", &fields).await
    };
    let (own, theirs) = (mapping("all-own", Some("example.org/own")).await, mapping("all-theirs", None).await);
    let asks =
        vec![("managed", Some("example.org/own".into()), None), ("managed__isnull", Some("false".into()), Some("true".into()))];
    cases.push(all("propertymappings/all", own, theirs, asks));
    let asks = vec![("bindings__isnull", Some("false".into()), Some("true".into()))];
    let application = async |slug: &str, provider: &str| {
        let flow = server.admin().get("/api/v3/flows/instances/first/").await.body["pk"].clone();
        let fields = json!({ "name": provider, "mode": "forward_single", "external_host": format!("https://{slug}.example"),
            "authorization_flow": flow, "invalidation_flow": flow });
        let provider = server.make("providers/proxy", &fields).await;
        server.make("core/applications", &json!({ "name": slug, "slug": slug, "provider": provider["pk"] })).await;
        provider
    };
    let (one, two) = (application("told-one", "told one").await, application("told-two", "told two").await);
    cases.push(all("outposts/proxy", one, two, Vec::new()));
    cases.push(Case { moot: NO_PROMPTS, ..all("policies/all", policy, unbound, asks) });
    cases
}

/// Fields of proxy providers, and the filters that compare them without regard to case.
const IGNORING_CASE: [(&str, &str); 8] = [
    ("basic_auth_enabled", "basic_auth_enabled__iexact"),
    ("basic_auth_password_attribute", "basic_auth_password_attribute__iexact"),
    ("basic_auth_user_attribute", "basic_auth_user_attribute__iexact"),
    ("cookie_domain", "cookie_domain__iexact"),
    ("external_host", "external_host__iexact"),
    ("mode", "mode__iexact"),
    ("name", "name__iexact"),
    ("skip_path_regex", "skip_path_regex__iexact"),
];

/// Policies are not used by prompt stages yet.
const NO_PROMPTS: &[&str] = &["promptstage__isnull"];
/// What a list is asked for besides filters, and tests of their own.
const PAGING: [&str; 4] = ["ordering", "page", "page_size", "search"];
/// Filters without two ordinary objects that differ in them, each with a test of its own below, in `applications.rs` or in `roles.rs`.
const ELSEWHERE: [(&str, &str); 13] = [
    ("outposts/instances", "providers__isnull"),
    ("providers/all", "backchannel"),
    ("rbac/roles", "groups"),
    ("rbac/roles", "inherited"),
    ("rbac/roles", "managed"),
    ("rbac/roles", "managed__isnull"),
    ("rbac/roles", "users"),
    ("core/brands", "default"),
    ("crypto/certificatekeypairs", "managed"),
    ("core/applications", "superuser_full_list"),
    ("core/applications", "only_with_launch_url"),
    ("core/applications", "for_user"),
    ("policies/all", "promptstage__isnull"),
];

/// Filters whose subject is still to come: when an object was made and changed is not kept. They ask for nothing, as README says.
const UNKEPT: [&str; 2] = ["created", "last_updated"];

/// What `query` finds in a collection, all pages of it.
async fn found(server: &Server, path: &str, query: &[(&str, &str)]) -> Vec<Value> {
    let admin = server.admin();
    let mut out = Vec::new();
    let mut page = 1;
    // Applications are listed by policy, unless all are asked for.
    let whole = [("superuser_full_list", "true"), ("page_size", "100")];
    while page != 0 {
        let number = page.to_string();
        let pairs = query.iter().chain(&whole).copied().chain([("page", number.as_str())]);
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let reply = admin.get(&format!("/api/v3/{path}/?{query}")).await;
        assert_eq!(reply.status, 200, "{path}?{query}: {}", reply.text);
        if !path.starts_with("policies/always") {
            exact("GET", &format!("/{path}/"), &reply);
        }
        out.extend(reply.body["results"].as_array().unwrap().iter().cloned());
        page = reply.body["pagination"]["next"].as_u64().unwrap();
    }
    out
}

/// Whether the two objects of a case are among what is found.
async fn both(server: &Server, case: &Case, query: &[(&str, &str)]) -> (bool, bool) {
    let found = found(server, case.path, query).await;
    let has = |object: &Value| found.iter().any(|f| pk(f) == pk(object));
    (has(&case.one), has(&case.two))
}

/// The value of a filter that an object answers to.
fn of(object: &Value, filter: &str) -> Option<String> {
    let value = match filter {
        "has_key" => &object["private_key_available"],
        "target_in" => &object["target"],
        name => object.get(name).unwrap_or(pk(object)),
    };
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        // Of several, one is enough to ask for.
        Value::Array(several) => several.first()?.as_str().map(str::to_owned),
        other => Some(other.to_string()),
    }
}

#[tokio::test]
async fn every_collection_of_the_contract_that_answers_is_covered() {
    let server = start().await;
    let covered: Vec<&str> = cases(&server).await.iter().map(|case| case.path).collect();
    let (mut collections, mut uncovered) = (0, Vec::new());
    for (method, path) in contract().operations().filter(|(m, p)| *m == "get" && !p.contains('{')) {
        let operation = contract().operation(method, path).unwrap();
        if !operation.query().any(|name| name == "page_size") {
            continue;
        }
        let reply = server.admin().get(&format!("/api/v3{path}")).await;
        if reply.status == 404 || PEOPLE.contains(&path.trim_matches('/')) {
            continue;
        }
        collections += 1;
        if !covered.contains(&path.trim_matches('/')) {
            uncovered.push(path);
        }
    }
    assert!(uncovered.is_empty(), "these answer, and their filters are not tested: {uncovered:?}");
    assert!(collections >= 14, "{collections}");
}

#[tokio::test]
async fn every_filter_of_the_contract_keeps_the_one_and_drops_the_other() {
    let server = start().await;
    let mut tried = 0;
    for case in cases(&server).await {
        let operation = contract().operation("GET", &format!("/{}/", case.path)).unwrap();
        let filters: Vec<&str> = operation.query().filter(|q| !PAGING.contains(q)).collect();
        let unknown = case.asks.iter().map(|(f, ..)| f).chain(case.moot).filter(|f| !filters.contains(f));
        // Stages share their lists of what is still to come.
        assert!(unknown.clone().all(|f| LATER.contains(f)), "{}: {:?}", case.path, unknown.collect::<Vec<_>>());
        for filter in filters {
            if ELSEWHERE.contains(&(case.path, filter)) {
                continue;
            }
            if UNKEPT.contains(&filter) && case.path.starts_with("policies/") {
                let early = both(&server, &case, &[(filter, "2001-01-01T00:00:00Z")]).await;
                assert_eq!(early, (true, true), "{}: {filter} can be tested", case.path);
                continue;
            }
            if case.moot.contains(&filter) {
                assert!(is_later(&server, case.path, filter), "{}: {filter} can be tested", case.path);
                continue;
            }
            let asked = case.asks.iter().find(|(name, ..)| *name == filter);
            let (first, second) = match asked {
                Some((_, first, second)) => (first.clone(), second.clone()),
                None => (of(&case.one, filter), of(&case.two, filter)),
            };
            assert_ne!(first, second, "{}: the objects do not differ in {filter}", case.path);
            for (value, wanted) in [(first, (true, false)), (second, (false, true))] {
                let Some(value) = value else { continue };
                assert_eq!(both(&server, &case, &[(filter, &value)]).await, wanted, "{}?{filter}={value}", case.path);
                tried += 1;
            }
            assert_eq!(both(&server, &case, &[(filter, "")]).await, (true, true), "{}?{filter}= asks for nothing", case.path);
        }
    }
    assert!(tried > 100, "{tried}");
}

/// Whether the behaviour of a field is still to come, so that no two objects can differ in it.
fn is_later(server: &Server, path: &str, field: &str) -> bool {
    let snapshot = server.store.snapshot();
    let kind = snapshot.registry().by_path(path);
    let name = field.split("__").next().unwrap_or(field);
    kind.and_then(|kind| kind.field(name)).is_some_and(|field| field.later)
}

#[tokio::test]
async fn what_there_is_none_of_yet_is_not_found_by_it() {
    let server = start().await;
    let cases = cases(&server).await;
    for (path, filters) in [
        ("providers/proxy", ["certificate__kp_uuid__iexact", "certificate__name__iexact"]),
        ("outposts/instances", ["service_connection__name__iexact", "service_connection__name__icontains"]),
    ] {
        let case = cases.iter().find(|case| case.path == path).unwrap();
        for filter in filters {
            assert_eq!(found(&server, path, &[(filter, "one")]).await, Vec::<Value>::new(), "{path}?{filter}");
            assert_eq!(both(&server, case, &[(filter, "")]).await, (true, true), "{path}?{filter}= asks for nothing");
        }
    }
    let outposts = cases.iter().find(|case| case.path == "outposts/instances").unwrap();
    assert_eq!(both(&server, outposts, &[("search", "served")]).await, (true, true));
    assert_eq!(both(&server, outposts, &[("search", "UNSERVED")]).await, (false, true), "by the names of their providers");
    assert_eq!(both(&server, outposts, &[("providers__isnull", "false")]).await, (true, true));
    let without = found(&server, "outposts/instances", &[("providers__isnull", "true")]).await;
    assert!(without.len() == 1 && without[0]["managed"] == "goauthentik.io/outposts/embedded", "{without:?}");
}

#[tokio::test]
async fn no_provider_works_behind_an_application_yet() {
    let server = start().await;
    let cases = cases(&server).await;
    let all = cases.iter().find(|case| case.path == "providers/all").unwrap();
    assert_eq!(both(&server, all, &[("backchannel", "false")]).await, (true, true));
    assert_eq!(both(&server, all, &[("backchannel", "true")]).await, (false, false));
}

#[tokio::test]
async fn of_several_conditions_all_hold_and_of_several_values_one() {
    let server = start().await;
    let cases = cases(&server).await;
    let bindings = cases.iter().find(|case| case.path == "policies/bindings").unwrap();
    let (one, two) = (of(&bindings.one, "target").unwrap(), of(&bindings.two, "target").unwrap());
    assert_eq!(both(&server, bindings, &[("target_in", &one), ("target_in", &two)]).await, (true, true));
    assert_eq!(both(&server, bindings, &[("target_in", &format!("{one},{two}"))]).await, (true, true));
    assert_eq!(both(&server, bindings, &[("target_in", &one), ("enabled", "true")]).await, (true, false));
    assert_eq!(both(&server, bindings, &[("target_in", &one), ("enabled", "false")]).await, (false, false));
    // As the Terraform provider asks for several mappings of ours by their names.
    let [openid, email] = ["openid", "email"].map(|name| format!("goauthentik.io/providers/oauth2/scope-{name}"));
    for path in ["propertymappings/all", "propertymappings/provider/scope"] {
        let all = found(&server, path, &[("managed", openid.as_str()), ("managed", &email)]).await;
        let mut managed: Vec<&str> = all.iter().filter_map(|mapping| mapping["managed"].as_str()).collect();
        managed.sort_unstable();
        assert_eq!(managed, [email.as_str(), &openid], "{path}");
    }
    for (path, filter) in [("providers/oauth2", "property_mappings"), ("providers/proxy", "property_mappings__iexact")] {
        let case = cases.iter().find(|case| case.path == path).unwrap();
        let own = of(&case.one, "property_mappings").unwrap();
        let nobodys = uuid::Uuid::nil().to_string();
        assert_eq!(both(&server, case, &[(filter, &own), (filter, &nobodys)]).await, (true, false), "{path}");
        assert_eq!(both(&server, case, &[(filter, &nobodys)]).await, (false, false), "{path}");
    }
    // A name is one name.
    let (one, two) = (of(&bindings.one, "order").unwrap(), of(&bindings.two, "order").unwrap());
    assert_eq!(both(&server, bindings, &[("order", &one), ("order", &two)]).await, (false, false));
    // Filters that lead over references, as the administration interface uses them.
    let flow = server.flow("joined", "recovery", &[&server.make("stages/dummy", &json!({ "name": "joined" })).await]).await;
    for (query, count) in [("target__slug", "joined"), ("target__slug__iexact", "JOINED"), ("target__name__icontains", "oine")]
        .map(|q| (q, 1))
        .into_iter()
        .chain([(("target__slug", "default"), 0)])
    {
        assert_eq!(found(&server, "flows/bindings", &[query]).await.len(), count, "{query:?} {}", flow["slug"]);
    }
}

#[tokio::test]
async fn the_default_brand_and_what_the_product_keeps_itself_are_found_by_filters() {
    let server = start().await;
    let other = server.make("core/brands", &json!({ "domain": "other.example" })).await;
    let yes = found(&server, "core/brands", &[("default", "true")]).await;
    assert!(yes.len() == 1 && yes[0]["domain"] == "authentik-default", "{yes:?}");
    assert_eq!(found(&server, "core/brands", &[("default", "false")]).await, [other]);
    let (pem, _) = certificate("x.example", &rcgen::PKCS_ECDSA_P256_SHA256);
    server.make("crypto/certificatekeypairs", &json!({ "name": "own", "certificate_data": pem })).await;
    let managed = "goauthentik.io/crypto/jwt-managed";
    let kept = found(&server, "crypto/certificatekeypairs", &[("managed", managed)]).await;
    assert!(kept.len() == 1 && kept[0]["managed"] == managed, "{kept:?}");
    assert!(found(&server, "crypto/certificatekeypairs", &[("managed", "goauthentik.io/x")]).await.is_empty());
}

#[tokio::test]
async fn every_collection_is_searched() {
    let server = start().await;
    for case in cases(&server).await {
        let words = match case.path {
            "flows/bindings" => ("X-STAGE", "y-stage"),
            "policies/bindings" => ("ALWAYS", "nobody-knows"),
            "stages/all" => ("ALL-DENY", "all-dummy"),
            "policies/all" => ("ALWAYS", "unbound"),
            "propertymappings/all" => ("ALL-OWN", "all-theirs"),
            "providers/all" => ("ALL-TIED", "all-free"),
            "core/brands" => ("ONE.EX", "two.ex"),
            _ => ("ONE", "two"),
        };
        let second = case.path != "policies/bindings";
        assert_eq!(both(&server, &case, &[("search", words.0)]).await, (true, false), "{} {}", case.path, words.0);
        assert_eq!(both(&server, &case, &[("search", words.1)]).await, (false, second), "{} {}", case.path, words.1);
        assert_eq!(both(&server, &case, &[("search", "  ")]).await, (true, true), "{}", case.path);
        assert_eq!(both(&server, &case, &[("search", "\u{202e}% _ \\ ' \" --")]).await, (false, false), "{}", case.path);
    }
}

#[tokio::test]
async fn every_collection_is_sorted_by_every_field_both_ways() {
    let server = start().await;
    let mut tried = 0;
    for case in cases(&server).await {
        let snapshot = server.store.snapshot();
        let fields: Vec<Field> = match snapshot.registry().by_path(case.path) {
            Some(kind) => kind.fields.clone(),
            None => snapshot.registry().kinds().iter().find(|k| k.meta.path == "stages/dummy").unwrap().fields.clone(),
        };
        for field in fields.iter().filter(|f| !f.secret && !matches!(f.shape, Shape::List(_) | Shape::Map | Shape::Any)) {
            let name = &*field.name;
            let before = match (&case.one[name], &case.two[name]) {
                (Value::String(a), Value::String(b)) => a < b,
                (Value::Number(a), Value::Number(b)) => a.as_i64() < b.as_i64(),
                (Value::Bool(a), Value::Bool(b)) => !a & b,
                _ => continue,
            };
            if case.one[name] == case.two[name] {
                continue;
            }
            for (order, first) in [(name.to_owned(), before), (format!("-{name}"), !before)] {
                let found = found(&server, case.path, &[("ordering", &order)]).await;
                let place = |object: &Value| found.iter().position(|f| pk(f) == pk(object)).unwrap();
                assert_eq!(place(&case.one) < place(&case.two), first, "{}?ordering={order}", case.path);
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");
}

#[tokio::test]
async fn every_collection_is_cut_into_pages() {
    let server = start().await;
    let admin = server.admin();
    for case in cases(&server).await {
        let list = async |query: &str| {
            let path = format!("/api/v3/{}/?superuser_full_list=true&{query}", case.path);
            admin.get(&path).await
        };
        let all = list("page_size=100").await.body;
        let count = all["pagination"]["count"].as_u64().unwrap();
        let whole = all["results"].as_array().unwrap();
        assert!(count >= 2 && whole.len() as u64 == count, "{}: {count}", case.path);
        let mut seen = Vec::new();
        for page in 1..=count {
            let cut = list(&format!("page_size=1&page={page}")).await;
            assert_eq!(cut.body["pagination"]["total_pages"], count, "{}", case.path);
            assert_eq!(cut.body["pagination"]["current"], page, "{}", case.path);
            seen.extend(cut.body["results"].as_array().unwrap().iter().cloned());
        }
        assert_eq!(&seen, whole, "{}: the pages together are the list", case.path);
        for bad in
            [format!("page_size=1&page={}", count + 1), "page=0".into(), "page=x".into(), "page=18446744073709551616".into()]
        {
            refused(&list(&bad).await, 404);
        }
        for size in ["0", "-1", "x", "", "101", "18446744073709551615", "99999999999999999999"] {
            let reply = list(&format!("page_size={size}")).await;
            assert_eq!((reply.status, &reply.body["pagination"]["count"]), (200, &json!(count)), "{}: {size}", case.path);
        }
    }
}

#[tokio::test]
async fn policies_are_listed_together_described_and_deleted() {
    let server = start().await;
    let admin = server.admin();
    let policy = server.make("policies/always", &json!({ "name": "always" })).await;
    let stage = server.make("stages/dummy", &json!({ "name": "guarded" })).await;
    let flow = server.flow("guarded", "recovery", &[&stage]).await;
    let binding = server.make("policies/bindings", &json!({ "target": flow["pk"], "policy": policy["pk"], "order": 0 })).await;
    let at = format!("/api/v3/policies/all/{}/", policy["pk"].as_str().unwrap());
    let read = admin.get(&at).await;
    exact("GET", "/policies/all/{policy_uuid}/", &read);
    assert_eq!(read.body["bound_to"], 1);
    assert_eq!(read.body.as_object().unwrap().len(), POLICY_FIELDS.len());
    let types = admin.get("/api/v3/policies/all/types/").await;
    exact("GET", "/policies/all/types/", &types);
    assert!(types.body.as_array().unwrap().iter().any(|kind| kind["model_name"] == "test.always"));
    let used = admin.get(&format!("{at}used_by/")).await;
    exact("GET", "/policies/all/{policy_uuid}/used_by/", &used);
    assert_eq!((&used.body[0]["action"], &used.body[0]["pk"]), (&json!("cascade"), &binding["pk"]));
    for path in ["flows/instances", "policies/all"] {
        let info = admin.get(&format!("/api/v3/{path}/cache_info/")).await;
        exact("GET", &format!("/{path}/cache_info/"), &info);
        assert_eq!(admin.post(&format!("/api/v3/{path}/cache_clear/"), &json!({})).await.status, 204);
    }
    refused(&admin.post("/api/v3/policies/all/", &json!({ "name": "x" })).await, 405);
    assert_eq!(admin.delete(&at).await.status, 204);
    refused(&admin.get(&format!("/api/v3/policies/bindings/{}/", binding["pk"].as_str().unwrap())).await, 404);
}
