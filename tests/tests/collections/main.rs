//! The collections of all kinds: made, read, listed, changed, deleted as the contract says, by one code for every kind.

mod bad_input;
mod certificates;
mod fields;
mod filters;
mod used_by;

use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Reply, Server};
use serde_json::{Value, json};

const ME: &str = "/api/v3/core/users/me/";

/// What answers hold beyond the contract, on purpose: the collection, and the property.
const OURS: [(&str, &str); 1] = [("/managed/blueprints/", "last_error")];

/// The answer of an operation, held against the contract.
#[track_caller]
fn exact(method: &str, path: &str, reply: &Reply) {
    let mut body = reply.body.clone();
    for (_, property) in OURS.iter().filter(|(collection, _)| path.starts_with(collection)) {
        let rows = body.pointer("/results").is_some();
        let objects = if rows { body["results"].as_array_mut().unwrap().iter_mut().collect() } else { vec![&mut body] };
        for object in objects.into_iter().filter_map(Value::as_object_mut) {
            object.remove(*property);
        }
    }
    if let Err(error) = contract().validate_answer(method, path, reply.status, Mode::Exact, &body) {
        panic!("{error}\nin {}", reply.text);
    }
}

/// A refusal: a status, and words in the shape of the API.
#[track_caller]
fn refused(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text);
    contract().assert_exact("GenericError", &reply.body);
}

/// Two objects of a kind that differ in all that can be filtered, and what changes one of them.
struct Sample {
    path: &'static str,
    one: Value,
    two: Value,
    change: Value,
    /// Filters of the contract that no two objects can differ in yet, and why.
    moot: &'static [&'static str],
}

/// A reference whose behaviour is still to come, and can only be null.
const LATER: &[&str] = &["captcha_stage", "webauthn_stage", "network_binding", "geoip_binding", "remember_device"];

fn certificate(name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> (String, String) {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// Collections of records, which `people.rs` and `oidc/given.rs` hold against the contract.
const PEOPLE: [&str; 12] = [
    "core/user_consent",
    "core/authenticated_sessions",
    "oauth2/access_tokens",
    "oauth2/authorization_codes",
    "oauth2/refresh_tokens",
    "policies/reputation/scores",
    "core/users",
    "core/groups",
    "core/tokens",
    "rbac/permissions",
    "rbac/permissions/assigned_by_roles",
    "rbac/permissions/roles",
];

/// One sample for every kind of the product.
async fn samples(server: &Server) -> Vec<Sample> {
    let ada = server.user("ada").await;
    let staff = server.group("staff", &[&ada]).await;
    let flow = |n: &str| json!({ "name": n, "slug": n, "title": n, "designation": "recovery" });
    let (first, second) =
        (server.make("flows/instances", &flow("first")).await, server.make("flows/instances", &flow("second")).await);
    let (a, b) = (&first["pk"], &second["pk"]);
    let stage = |n: &str| json!({ "name": n });
    let (x, y) = (server.make("stages/dummy", &stage("x-stage")).await, server.make("stages/dummy", &stage("y-stage")).await);
    let password = |n: &str| json!({ "name": n, "backends": ["authentik.core.auth.InbuiltBackend"] });
    let (p, q) = (server.make("stages/password", &password("p")).await, server.make("stages/password", &password("q")).await);
    let field = |n: &str| json!({ "name": n, "field_key": n, "label": n, "type": "text" });
    let (f, g) =
        (server.make("stages/prompt/prompts", &field("f")).await, server.make("stages/prompt/prompts", &field("g")).await);
    let (ec, ec_key) = certificate("one.example", &rcgen::PKCS_ECDSA_P256_SHA256);
    let (ed, _) = certificate("two.example", &rcgen::PKCS_ED25519);
    let pair =
        server.make("crypto/certificatekeypairs", &json!({ "name": "used", "certificate_data": ec, "key_data": ec_key })).await;
    let pair2 = server.make("crypto/certificatekeypairs", &json!({ "name": "used too", "certificate_data": ec })).await;
    let app = server.make("core/applications", &json!({ "name": "used", "slug": "used" })).await;
    let other = server.make("core/applications", &json!({ "name": "other", "slug": "other" })).await;
    let scope = |n: &str| json!({ "name": n, "scope_name": n, "expression": "#{}" });
    let (m, n) = (
        server.make("propertymappings/provider/scope", &scope("m")).await,
        server.make("propertymappings/provider/scope", &scope("n")).await,
    );
    let provider = json!({ "name": "used", "authorization_flow": a, "invalidation_flow": a, "redirect_uris": [] });
    let provider = server.make("providers/oauth2", &provider).await;
    vec![
        Sample {
            path: "core/applications",
            one: json!({ "name": "One", "slug": "one", "group": "g", "meta_launch_url": "https://one.example/", "open_in_new_tab": true,
                "meta_icon": "https://one.example/icon.svg", "meta_description": "First", "meta_publisher": "Ada", "meta_hide": true,
                "policy_engine_mode": "all", "provider": provider["pk"] }),
            two: json!({ "name": "Two", "slug": "two", "group": "h", "meta_launch_url": "https://two.example/", "meta_description": "Second",
                "meta_publisher": "Grace" }),
            change: json!({ "meta_description": "Changed" }),
            moot: &[],
        },
        Sample {
            path: "core/application_entitlements",
            one: json!({ "name": "one", "app": app["pk"], "attributes": { "a": 1 } }),
            two: json!({ "name": "two", "app": other["pk"] }),
            change: json!({ "name": "changed" }),
            moot: &[],
        },
        Sample {
            path: "flows/instances",
            one: json!({ "name": "One", "slug": "one", "title": "One", "designation": "recovery", "denied_action": "message" }),
            two: json!({ "name": "Two", "slug": "two", "title": "Two", "designation": "enrollment", "denied_action": "continue" }),
            change: json!({ "title": "Changed" }),
            moot: &[],
        },
        Sample {
            path: "flows/bindings",
            one: json!({ "target": a, "stage": x["pk"], "order": 1, "evaluate_on_plan": true, "re_evaluate_policies": false,
                "invalid_response_action": "restart", "policy_engine_mode": "all" }),
            two: json!({ "target": b, "stage": y["pk"], "order": 2 }),
            change: json!({ "order": 7 }),
            moot: &[],
        },
        Sample {
            path: "policies/bindings",
            one: json!({ "target": a, "user": ada.pk, "order": 1, "timeout": 10 }),
            two: json!({ "target": b, "group": staff.pk, "order": 2, "enabled": false, "negate": true }),
            change: json!({ "order": 7 }),
            moot: &[],
        },
        Sample {
            path: "policies/expression",
            one: json!({ "name": "one", "execution_logging": true, "expression": "// rhai\nreturn user.is_active;" }),
            two: json!({ "name": "two", "expression": "# python\nreturn True" }),
            change: json!({ "expression": "# python\nreturn user.is_superuser" }),
            moot: &[],
        },
        Sample {
            path: "policies/dummy",
            one: json!({ "name": "one", "execution_logging": true, "result": true, "wait_min": 1, "wait_max": 2 }),
            two: json!({ "name": "two", "wait_min": 0, "wait_max": 3 }),
            change: json!({ "result": true }),
            moot: &[],
        },
        Sample {
            path: "policies/password",
            one: json!({ "name": "one", "execution_logging": true, "password_field": "password", "amount_digits": 1, "amount_uppercase": 2,
                "amount_lowercase": 3, "amount_symbols": 4, "length_min": 12, "symbol_charset": "!?", "error_message": "Longer.",
                "check_static_rules": true, "check_zxcvbn": true, "zxcvbn_score_threshold": 3, "check_have_i_been_pwned": true,
                "hibp_allowed_count": 5 }),
            two: json!({ "name": "two", "password_field": "other", "length_min": 8, "error_message": "No.", "check_static_rules": false }),
            change: json!({ "length_min": 9 }),
            moot: &[],
        },
        Sample {
            path: "policies/event_matcher",
            one: json!({ "name": "one", "execution_logging": true, "action": "login", "client_ip": "192.0.2.1", "app": "authentik.core",
                "model": "authentik_core.user", "query": "action = \"login\"" }),
            two: json!({ "name": "two", "action": "logout", "query": "user.pk > 4" }),
            change: json!({ "action": "login_failed" }),
            moot: &[],
        },
        Sample {
            path: "policies/geoip",
            one: json!({ "name": "one", "execution_logging": true, "asns": [64496, 64497], "countries": ["DE", "AT"],
                "check_history_distance": true, "history_max_distance_km": 9, "distance_tolerance_km": 8, "history_login_count": 7,
                "check_impossible_travel": true, "impossible_tolerance_km": 6 }),
            two: json!({ "name": "two", "countries": [] }),
            change: json!({ "countries": ["CH"] }),
            moot: &[],
        },
        Sample {
            path: "policies/unique_password",
            one: json!({ "name": "one", "execution_logging": true, "password_field": "new", "num_historical_passwords": 3 }),
            two: json!({ "name": "two" }),
            change: json!({ "num_historical_passwords": 4 }),
            moot: &[],
        },
        Sample {
            path: "policies/reputation",
            one: json!({ "name": "one", "execution_logging": true, "check_ip": false, "check_username": true, "threshold": -3 }),
            two: json!({ "name": "two", "check_username": false, "threshold": -4 }),
            change: json!({ "threshold": -5 }),
            moot: &[],
        },
        Sample {
            path: "policies/password_expiry",
            one: json!({ "name": "one", "execution_logging": true, "days": 30, "deny_only": true }),
            two: json!({ "name": "two", "days": 90 }),
            change: json!({ "days": 31 }),
            moot: &[],
        },
        Sample {
            path: "propertymappings/provider/scope",
            one: json!({ "name": "one", "expression": "return {\"a\": user.username}", "scope_name": "first", "description": "One",
                "managed": "example.org/one" }),
            two: json!({ "name": "two", "expression": "#{ a: 2 }", "scope_name": "second", "description": "Two" }),
            change: json!({ "scope_name": "changed", "managed": "example.org/changed" }),
            moot: &[],
        },
        Sample {
            path: "providers/oauth2",
            one: json!({ "name": "one", "authentication_flow": b, "authorization_flow": a, "invalidation_flow": b,
                "property_mappings": [m["pk"]], "client_type": "public", "grant_types": ["authorization_code"], "client_id": "first",
                "client_secret": "a secret", "access_code_validity": "minutes=2", "access_token_validity": "minutes=3",
                "refresh_token_validity": "minutes=4", "refresh_token_threshold": "minutes=1", "include_claims_in_id_token": false,
                "signing_key": pair["pk"], "logout_uri": "https://one.example/logout", "sub_mode": "user_upn", "issuer_mode": "global",
                "redirect_uris": [{ "matching_mode": "regex", "url": "https://one\\.example/.*", "redirect_uri_type": "logout" }] }),
            two: json!({ "name": "two", "authorization_flow": b, "invalidation_flow": a, "property_mappings": [n["pk"]],
                "redirect_uris": [{ "matching_mode": "strict", "url": "https://two.example/" }] }),
            change: json!({ "client_id": "changed", "access_token_validity": "hours=2" }),
            moot: &[],
        },
        Sample {
            path: "core/brands",
            one: json!({ "domain": "one.example", "branding_title": "One", "branding_logo": "/one.svg", "branding_favicon": "/one.ico",
                "branding_default_flow_background": "/one.jpg", "flow_authentication": a, "flow_invalidation": a, "flow_recovery": a,
                "flow_unenrollment": a, "flow_user_settings": a, "web_certificate": pair["pk"], "default_application": app["pk"] }),
            two: json!({ "domain": "two.example", "branding_title": "Two", "flow_authentication": b, "flow_invalidation": b,
                "flow_recovery": b, "flow_unenrollment": b, "flow_user_settings": b, "web_certificate": pair2["pk"] }),
            change: json!({ "branding_title": "Changed" }),
            // Only one brand is the default: see the test of that filter.
            moot: &["default", "client_certificates", "flow_device_code", "flow_lockdown", "flow_request", "flow_user_switch"],
        },
        Sample {
            path: "crypto/certificatekeypairs",
            one: json!({ "name": "one", "certificate_data": ec, "key_data": ec_key }),
            two: json!({ "name": "two", "certificate_data": ed }),
            change: json!({ "name": "changed" }),
            // The product's own objects only: see the test of that filter.
            moot: &["managed"],
        },
        Sample {
            path: "managed/blueprints",
            one: json!({ "name": "one", "path": "default/flow-default-authentication-flow.yaml", "enabled": false, "context": { "a": 1 } }),
            two: json!({ "name": "two", "path": "default/flow-default-invalidation-flow.yaml", "enabled": true }),
            change: json!({ "context": { "b": 2 } }),
            moot: &[],
        },
        Sample {
            path: "stages/dummy",
            one: json!({ "name": "one", "throw_error": true }),
            two: json!({ "name": "two" }),
            change: json!({ "name": "changed" }),
            moot: &[],
        },
        Sample {
            path: "stages/deny",
            one: json!({ "name": "one", "deny_message": "No." }),
            two: json!({ "name": "two", "deny_message": "Never." }),
            change: json!({ "deny_message": "Changed." }),
            moot: &[],
        },
        Sample {
            path: "stages/identification",
            one: json!({ "name": "one", "user_fields": ["email"], "password_stage": p["pk"], "case_insensitive_matching": false,
                "show_matched_user": false, "enrollment_flow": a, "recovery_flow": a, "passwordless_flow": a, "show_source_labels": true }),
            two: json!({ "name": "two", "user_fields": ["username"], "password_stage": q["pk"], "enrollment_flow": b, "recovery_flow": b,
                "passwordless_flow": b }),
            change: json!({ "user_fields": ["username", "upn"] }),
            moot: LATER,
        },
        Sample {
            path: "stages/password",
            one: json!({ "name": "one", "backends": ["authentik.core.auth.InbuiltBackend"], "configure_flow": a,
                "failed_attempts_before_cancel": 3, "allow_show_password": true }),
            two: json!({ "name": "two", "backends": ["authentik.core.auth.TokenBackend"], "configure_flow": b }),
            change: json!({ "failed_attempts_before_cancel": 9 }),
            moot: &[],
        },
        Sample {
            path: "stages/prompt/prompts",
            one: json!({ "name": "one", "field_key": "first", "label": "One", "type": "dropdown", "placeholder": "a\nb", "initial_value": "a",
                "order": 3, "sub_text": "One.", "required": false }),
            two: json!({ "name": "two", "field_key": "second", "label": "Two", "type": "ak-locale" }),
            change: json!({ "label": "Changed", "type": "alert_info" }),
            moot: &[],
        },
        Sample {
            path: "stages/prompt/stages",
            one: json!({ "name": "one", "fields": [f["pk"], g["pk"]] }),
            two: json!({ "name": "two", "fields": [] }),
            change: json!({ "fields": [g["pk"]] }),
            // No policy of its own kind exists yet.
            moot: &["validation_policies"],
        },
        Sample {
            path: "stages/user_write",
            one: json!({ "name": "one", "user_creation_mode": "never_create", "create_users_as_inactive": true,
                "create_users_group": staff.pk, "user_type": "internal", "user_path_template": "guests" }),
            two: json!({ "name": "two" }),
            change: json!({ "user_creation_mode": "always_create" }),
            moot: &[],
        },
        Sample {
            path: "stages/consent",
            one: json!({ "name": "one", "mode": "expiring", "consent_expire_in": "days=1" }),
            two: json!({ "name": "two", "mode": "permanent" }),
            change: json!({ "mode": "always_require" }),
            moot: &[],
        },
        Sample {
            path: "stages/redirect",
            one: json!({ "name": "one", "mode": "static", "target_static": "https://example.com/" }),
            two: json!({ "name": "two", "mode": "flow", "target_flow": a }),
            change: json!({ "name": "changed" }),
            moot: &[],
        },
        Sample {
            path: "stages/user_login",
            one: json!({ "name": "one", "session_duration": "hours=8", "remember_me_offset": "days=1", "terminate_other_sessions": true }),
            two: json!({ "name": "two" }),
            change: json!({ "session_duration": "hours=9" }),
            moot: LATER,
        },
        Sample {
            path: "rbac/roles",
            one: json!({ "name": "one" }),
            two: json!({ "name": "two" }),
            change: json!({ "name": "changed" }),
            moot: &[],
        },
        Sample {
            path: "providers/proxy",
            one: {
                let scope = json!({ "name": "proxied", "expression": "#{}", "scope_name": "proxied" });
                let scope = server.make("propertymappings/provider/scope", &scope).await;
                json!({ "name": "one", "mode": "forward_single", "external_host": "https://one.example", "authentication_flow": b,
                    "authorization_flow": a, "invalidation_flow": b, "property_mappings": [scope["pk"]], "skip_path_regex": "^/one",
                    "basic_auth_enabled": true, "basic_auth_password_attribute": "pass", "basic_auth_user_attribute": "user",
                    "intercept_header_auth": false, "access_token_validity": "hours=1", "refresh_token_validity": "days=1" })
            },
            two: json!({ "name": "two", "mode": "forward_domain", "external_host": "https://auth.two.example", "cookie_domain": "two.example",
                "authorization_flow": b, "invalidation_flow": a }),
            change: json!({ "external_host": "https://changed.example" }),
            moot: &[
                "certificate__kp_uuid__iexact",
                "certificate__name__iexact",
                "internal_host__iexact",
                "internal_host_ssl_validation__iexact",
            ],
        },
        Sample {
            path: "outposts/instances",
            one: {
                let provider = json!({ "name": "served", "mode": "forward_single", "external_host": "https://served.example",
                    "authorization_flow": a, "invalidation_flow": a });
                let provider = server.make("providers/proxy", &provider).await;
                json!({ "name": "one", "type": "proxy", "providers": [provider["pk"]], "config": { "authentik_host": "https://id.example" },
                    "managed": "example.org/one" })
            },
            two: {
                let provider = json!({ "name": "unserved", "mode": "forward_single", "external_host": "https://unserved.example",
                    "authorization_flow": a, "invalidation_flow": a });
                let provider = server.make("providers/proxy", &provider).await;
                json!({ "name": "two", "type": "proxy", "providers": [provider["pk"]], "config": {} })
            },
            change: json!({ "config": { "log_level": "debug" } }),
            moot: &["service_connection__name__icontains", "service_connection__name__iexact"],
        },
        Sample {
            path: "stages/user_logout",
            one: json!({ "name": "one" }),
            two: json!({ "name": "two" }),
            change: json!({ "name": "changed" }),
            moot: &[],
        },
    ]
}

impl Sample {
    fn list(&self) -> String {
        format!("/api/v3/{}/", self.path)
    }

    /// The contract's path of one object, and the key by which `object` is addressed in it.
    fn at(&self, object: &Value) -> (String, String) {
        let base = format!("/{}/{{", self.path);
        let mut paths = contract()
            .operations()
            .map(|(_, path)| path)
            .filter(|p| p.starts_with(&base) && p.matches('/').count() == base.matches('/').count() + 1);
        let template = paths.next().unwrap_or_else(|| panic!("the contract has no objects at {}", self.path)).to_owned();
        let key = if template.contains("{slug}") { &object["slug"] } else { pk(object) };
        (template, format!("{}{}/", self.list(), key_text(key)))
    }

    /// The contract's path of an object's users.
    fn used_by(&self, template: &str) -> String {
        format!("{template}used_by/")
    }
}

/// A key as it stands in a path.
fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

fn pk(object: &Value) -> &Value {
    ["pk", "brand_uuid", "pbm_uuid"].iter().find_map(|name| object.get(*name)).unwrap()
}

#[tokio::test]
async fn there_is_a_sample_of_every_kind() {
    let server = Server::start().await;
    let samples = samples(&server).await;
    for kind in server.store.snapshot().registry().kinds().iter().filter(|k| !PEOPLE.contains(&k.meta.path)) {
        assert!(samples.iter().any(|s| s.path == kind.meta.path), "{} has no sample", kind.meta.path);
    }
}

#[tokio::test]
async fn an_object_is_made_read_changed_and_deleted_as_the_contract_says() {
    let server = Server::start().await;
    let admin = server.admin();
    for sample in samples(&server).await {
        let (list, contract_list) = (sample.list(), format!("/{}/", sample.path));
        let made = admin.post(&list, &sample.one).await;
        assert_eq!(made.status, 201, "{list}: {}", made.text);
        exact("POST", &contract_list, &made);
        let (template, at) = sample.at(&made.body);
        let read = admin.get(&at).await;
        assert_eq!((read.status, &read.body), (200, &made.body), "{at}");
        exact("GET", &template, &read);
        let listed = admin.get(&format!("{list}?page_size=100")).await;
        exact("GET", &contract_list, &listed);
        assert!(listed.body["results"].as_array().unwrap().contains(&made.body), "{list}");
        let patched = admin.patch(&at, &sample.change).await;
        assert_eq!(patched.status, 200, "{at}: {}", patched.text);
        exact("PATCH", &template, &patched);
        for (field, value) in sample.change.as_object().unwrap() {
            assert_eq!(&patched.body[field], value, "{at}");
        }
        let put = admin.put(&at, &sample.one).await;
        assert_eq!((put.status, &put.body), (200, &made.body), "what was sent is back: {at} {}", put.text);
        let used = admin.get(&format!("{at}used_by/")).await;
        assert_eq!((used.status, &used.body), (200, &json!([])), "{at}");
        exact("GET", &sample.used_by(&template), &used);
        let gone = admin.delete(&at).await;
        assert_eq!((gone.status, gone.text.as_str()), (204, ""), "{at}");
        for reply in [
            admin.get(&at).await,
            admin.delete(&at).await,
            admin.patch(&at, &sample.change).await,
            admin.get(&format!("{at}used_by/")).await,
        ] {
            refused(&reply, 404);
        }
    }
}

#[tokio::test]
async fn a_filter_of_the_wrong_type_is_a_400_and_an_unknown_one_nothing() {
    let server = Server::start().await;
    let admin = server.admin();
    for query in ["designation=dance", "flow_uuid=no-uuid"] {
        let reply = admin.get(&format!("/api/v3/flows/instances/?{query}")).await;
        assert_eq!(reply.status, 400, "{query}: {}", reply.text);
        contract().assert_valid("ValidationError", &reply.body);
    }
    let all = admin.get("/api/v3/flows/instances/").await;
    assert_eq!(admin.get("/api/v3/flows/instances/?no_such_filter=1").await.body, all.body);
}

#[tokio::test]
async fn lists_are_cut_into_pages_sorted_and_searched() {
    let server = Server::start().await;
    let admin = server.admin();
    for n in 0..25 {
        server.make("stages/dummy", &json!({ "name": format!("stage {n:02}"), "throw_error": n % 2 == 0 })).await;
    }
    let list = async |query: &str| admin.get(&format!("/api/v3/stages/dummy/?{query}")).await;
    let names = async |query: &str| -> Vec<String> {
        list(query).await.body["results"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect()
    };
    let page =
        json!({ "next": 3, "previous": 1, "count": 25, "current": 2, "total_pages": 3, "start_index": 11, "end_index": 20 });
    assert_eq!(list("page_size=10&page=2").await.body["pagination"], page);
    assert_eq!(names("page_size=10&page=3").await.len(), 5);
    for bad in ["page_size=10&page=4", "page=0", "page=-1", "page=x", "page=99999999999999999999", "page="] {
        let reply = list(bad).await;
        refused(&reply, 404);
        assert_eq!(reply.body["detail"], "Invalid page.");
    }
    for (size, count) in [("0", 20), ("x", 20), ("-5", 20), ("1000", 25), ("7", 7)] {
        assert_eq!(names(&format!("page_size={size}")).await.len(), count, "{size}");
    }
    assert_eq!(names("ordering=-name&page_size=2").await, ["stage 24", "stage 23"]);
    assert_eq!(names("ordering=throw_error,-name&page_size=1").await, ["stage 23"]);
    assert_eq!(names("ordering=no_such_field&page_size=1").await.len(), 1);
    assert_eq!(names("search=STAGE+07").await, ["stage 07"]);
    assert_eq!(names("search=nothing").await.len(), 0);
    let none = json!({ "next": 0, "previous": 0, "count": 0, "current": 1, "total_pages": 1, "start_index": 0, "end_index": 0 });
    assert_eq!(list("search=nothing").await.body["pagination"], none);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_at_its_field() {
    let server = Server::start().await;
    let admin = server.admin();
    let wrong = json!({ "name": [], "slug": "no slug!", "title": "", "designation": "dance", "authentication": 7 });
    let reply = admin.post("/api/v3/flows/instances/", &wrong).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    contract().assert_valid("ValidationError", &reply.body);
    for field in wrong.as_object().unwrap().keys() {
        assert!(reply.body[field][0].is_string(), "{field}: {}", reply.text);
    }
    assert_eq!(reply.body["designation"], json!(["\"dance\" is not a valid choice."]));
    for path in
        ["flows/instances", "flows/bindings", "policies/bindings", "stages/password", "core/brands", "crypto/certificatekeypairs"]
    {
        let empty = admin.post(&format!("/api/v3/{path}/"), &json!({})).await;
        let contract = contract().operation("POST", &format!("/{path}/")).unwrap();
        assert_eq!((empty.status, contract.id.ends_with("_create")), (400, true), "{path}");
        let fields = empty.body.as_object().unwrap();
        assert!(
            !fields.is_empty() && fields.values().all(|e| *e == json!(["This field is required."])),
            "{path}: {}",
            empty.text
        );
    }
    let twice = json!({ "name": "x", "slug": "default-authentication-flow", "title": "x", "designation": "recovery" });
    assert!(admin.post("/api/v3/flows/instances/", &twice).await.body["slug"][0].as_str().unwrap().contains("unique"));
    let dangling = json!({ "target": "00000000-0000-0000-0000-000000000000", "stage": "x", "order": "y" });
    let reply = admin.post("/api/v3/flows/bindings/", &dangling).await;
    assert!(reply.status == 400 && reply.body["stage"].is_array() && reply.body["order"].is_array(), "{}", reply.text);
    let reply = admin.post("/api/v3/policies/bindings/", &json!({ "target": dangling["target"], "order": 0, "user": 999 })).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
}

#[tokio::test]
async fn bodies_that_are_no_json_objects_are_refused() {
    let server = Server::start().await;
    let admin = server.admin();
    let path = "/api/v3/stages/dummy/";
    let send = async |kind: &str, body: &str| {
        let (kind, body) = (kind.to_owned(), body.to_owned());
        admin.send(|http, url| http.post(url).header("content-type", kind).body(body), path).await
    };
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        refused(&send(kind, r#"{"name":"x"}"#).await, 415);
    }
    for body in ["", "{", "\u{0}", &"[".repeat(100_000)] {
        refused(&send("application/json", body).await, 400);
    }
    for body in ["[]", "7", "null", "\"x\""] {
        assert_eq!(send("application/json", body).await.status, 400, "{body}");
    }
    refused(&send("application/json", &format!(r#"{{"name":"{}"}}"#, "x".repeat(2_000_000))).await, 413);
    assert_eq!(admin.get(path).await.body["pagination"]["count"], 0);
}

#[tokio::test]
async fn methods_that_a_place_does_not_take_and_places_that_are_none() {
    let server = Server::start().await;
    let admin = server.admin();
    let body = json!({ "name": "x" });
    let stage = server.make("stages/dummy", &body).await;
    let at = format!("/api/v3/stages/dummy/{}/", stage["pk"].as_str().unwrap());
    let replies = [
        admin.post(&at, &body).await,
        admin.put("/api/v3/stages/dummy/", &body).await,
        admin.patch("/api/v3/stages/dummy/", &body).await,
        admin.delete("/api/v3/stages/dummy/").await,
        admin.post("/api/v3/stages/all/", &body).await,
        admin.post(&format!("{at}used_by/"), &body).await,
        admin.post(ME, &body).await,
        admin.delete("/api/v3/root/config/").await,
        admin.put("/api/v3/core/brands/current/", &body).await,
    ];
    for reply in replies {
        refused(&reply, 405);
        assert!(reply.body["detail"].as_str().unwrap().starts_with("Method \""), "{}", reply.text);
    }
    for path in [
        "/api/v3/no/such/",
        "/api/v3/stages/dummy/x/",
        "/api/v3/stages/dummy/x/y/z/",
        "/api/v3/stages/nonsense/",
        "/api/v3/%ff/",
        "/api/v3/",
    ] {
        refused(&admin.get(path).await, 404);
    }
    refused(&admin.get(&format!("{at}no_such_action/")).await, 404);
    let other = at.replace("stages/dummy", "stages/deny");
    refused(&admin.get(&other).await, 404);
}

#[tokio::test]
async fn a_path_without_its_last_slash_leads_readers_on_and_refuses_writers() {
    let server = Server::start().await;
    let admin = server.admin();
    for path in [
        "/api/v3/stages/dummy",
        "/api/v3/flows/instances/default-authentication-flow",
        ME.trim_end_matches('/'),
        "/api/v3/root/config",
    ] {
        let read = admin.get(&format!("{path}?page_size=1")).await;
        assert!(matches!(read.status, 301 | 308), "{path}: {} {}", read.status, read.text);
        assert_eq!(read.location(), format!("{path}/?page_size=1"));
        assert!((400..500).contains(&admin.post(path, &json!({ "name": "x" })).await.status));
    }
    let executor = "/api/v3/flows/executor/default-authentication-flow";
    assert_eq!(server.client().get(&format!("{executor}?query=a")).await.location(), format!("{executor}/?query=a"));
    assert_eq!(admin.get("/api/v3/stages/dummy/").await.body["pagination"]["count"], 0);
}

#[tokio::test]
async fn what_is_used_says_by_what_and_what_becomes_of_it() {
    let server = Server::start().await;
    let admin = server.admin();
    let stage = server.make("stages/dummy", &json!({ "name": "used" })).await;
    let flow = server.flow("user", "recovery", &[&stage]).await;
    let brand = server.make("core/brands", &json!({ "domain": "x.example", "flow_recovery": flow["pk"] })).await;
    let of_stage = admin.get(&format!("/api/v3/stages/dummy/{}/used_by/", stage["pk"].as_str().unwrap())).await;
    exact("GET", "/stages/dummy/{stage_uuid}/used_by/", &of_stage);
    assert_eq!(
        (&of_stage.body[0]["model_name"], &of_stage.body[0]["action"]),
        (&json!("flowstagebinding"), &json!("cascade")),
        "{}",
        of_stage.text
    );
    let of_flow = admin.get("/api/v3/flows/instances/user/used_by/").await;
    exact("GET", "/flows/instances/{slug}/used_by/", &of_flow);
    let entry = of_flow.body.as_array().unwrap().iter().find(|e| e["model_name"] == "brand").unwrap();
    assert_eq!((&entry["action"], &entry["pk"], &entry["name"]), (&json!("set_null"), &brand["brand_uuid"], &json!("x.example")));
    assert_eq!(admin.delete("/api/v3/flows/instances/user/").await.status, 204);
    let brand = admin.get(&format!("/api/v3/core/brands/{}/", brand["brand_uuid"].as_str().unwrap())).await;
    assert_eq!(brand.body["flow_recovery"], Value::Null);
    let bound = format!("/api/v3/flows/bindings/?stage={}", stage["pk"].as_str().unwrap());
    assert_eq!(admin.get(&bound).await.body["pagination"]["count"], 0, "the binding went along");
}

#[tokio::test]
async fn all_stages_can_be_listed_together_and_by_type() {
    let server = Server::start().await;
    let admin = server.admin();
    let list = admin.get("/api/v3/stages/all/").await;
    exact("GET", "/stages/all/", &list);
    let snapshot = server.store.snapshot();
    let stages =
        snapshot.registry().kinds().iter().filter(|k| k.is_a("authentik_flows.stage") && k.meta.path.starts_with("stages/"));
    assert_eq!(list.body["pagination"]["count"], stages.map(|k| snapshot.keys(k.index).count()).sum::<usize>());
    let types = admin.get("/api/v3/stages/all/types/").await;
    exact("GET", "/stages/all/types/", &types);
    let stages = server.store.snapshot().registry().kinds().iter().filter(|k| k.is_a("authentik_flows.stage")).count();
    assert_eq!(types.body.as_array().unwrap().len(), stages);
    let first = &list.body["results"][0];
    let at = format!("/api/v3/stages/all/{}/", first["pk"].as_str().unwrap());
    let one = admin.get(&at).await;
    exact("GET", "/stages/all/{stage_uuid}/", &one);
    assert_eq!(&one.body, first);
    let name = first["name"].as_str().unwrap();
    assert_eq!(admin.get(&format!("/api/v3/stages/all/?name={name}")).await.body["pagination"]["count"], 1);
    assert_eq!(admin.get("/api/v3/stages/all/?search=logout").await.body["pagination"]["count"], 1);
    let user_login = server.key_of("stages/user_login", "").await;
    assert_eq!(admin.delete(&format!("/api/v3/stages/all/{user_login}/")).await.status, 204);
}

#[tokio::test]
async fn a_change_and_the_event_that_tells_of_it_are_one() {
    let server = Server::start().await;
    let admin = server.admin();
    let stage = server.make("stages/dummy", &json!({ "name": "told" })).await;
    let at = format!("/api/v3/stages/dummy/{}/", stage["pk"].as_str().unwrap());
    admin.patch(&at, &json!({ "name": "told" })).await;
    assert!(server.events("model_updated").await.is_empty(), "nothing was changed");
    admin.patch(&at, &json!({ "name": "" })).await;
    assert!(server.events("model_updated").await.is_empty(), "the change was refused");
    admin.patch(&at, &json!({ "name": "retold" })).await;
    admin.delete(&at).await;
    for (action, name) in [("model_created", "told"), ("model_updated", "retold"), ("model_deleted", "retold")] {
        let events = server.events(action).await;
        assert_eq!(events.len(), 1, "{action}");
        let model = json!({ "app": "authentik_stages_dummy", "model_name": "dummystage", "pk": stage["pk"], "name": name });
        assert_eq!((&events[0].context["model"], &events[0].user["username"]), (&model, &json!("akadmin")));
        assert_eq!(events[0].client_ip, Some("127.0.0.1".parse().unwrap()), "{action}");
    }
}

#[tokio::test]
async fn secrets_are_taken_and_never_given() {
    let server = Server::start().await;
    let admin = server.admin();
    let (certificate, key) = certificate("secret.example", &rcgen::PKCS_ECDSA_P256_SHA256);
    let secret = key.lines().nth(1).unwrap().to_owned();
    let made = admin
        .post("/api/v3/crypto/certificatekeypairs/", &json!({ "name": "s", "certificate_data": certificate, "key_data": key }))
        .await;
    let at = format!("/api/v3/crypto/certificatekeypairs/{}/", made.body["pk"].as_str().unwrap());
    let replies = [
        admin.get(&at).await,
        admin.get("/api/v3/crypto/certificatekeypairs/?page_size=100").await,
        admin.patch(&at, &json!({ "name": "t" })).await,
        admin.get("/api/v3/crypto/certificatekeypairs/?search=BEGIN").await,
        admin.put(&at, &json!({ "name": "t", "certificate_data": certificate, "key_data": "not a key" })).await,
    ];
    for reply in replies.iter().chain([&made]) {
        assert!(
            !reply.text.contains(&secret) && !reply.text.contains("PRIVATE") && !reply.text.contains("key_data\":\""),
            "{}",
            reply.text
        );
    }
    assert_eq!(admin.get(&at).await.body["private_key_available"], true, "a change without the key keeps it");
    for action in ["model_created", "model_updated"] {
        let told = format!("{:?}", server.events(action).await);
        assert!(!told.contains(&secret), "{told}");
    }
}

#[tokio::test]
async fn what_can_be_set_up_is_listed_for_everybody_who_has_signed_in() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let path = "/api/v3/stages/all/user_settings/";
    let stage = server.make("stages/dummy", &json!({ "name": "set-up" })).await;
    let flow = server.flow("set-up", "stage_configuration", &[&stage]).await;
    let body = json!({ "name": "own", "backends": ["authentik.core.auth.InbuiltBackend"], "configure_flow": flow["pk"] });
    let password = server.make("stages/password", &body).await;
    let browser = server.signed_in(&ada.username).await;
    let listed = browser.get(path).await;
    exact("GET", path.strip_prefix("/api/v3").unwrap(), &listed);
    let own = listed.body.as_array().unwrap().iter().find(|s| s["object_uid"] == password["pk"]).expect("the new one");
    let led = browser.get(own["configure_url"].as_str().unwrap()).await;
    assert_eq!((led.status, led.location()), (303, "/if/flow/set-up/"), "{}", led.text);
    refused(&server.client().get(path).await, 403);
    // Taken away, it is offered no more.
    let at = format!("/api/v3/stages/password/{}/", password["pk"].as_str().unwrap());
    assert_eq!(server.admin().patch(&at, &json!({ "configure_flow": null })).await.status, 200);
    assert!(!browser.get(path).await.text.contains(password["pk"].as_str().unwrap()));
}
