//! Flows and the other pages as plain HTML: forms, links, and a browser without scripts. Every page is checked on the way.

use ak_store::records::{Durability, TokenIntent};
use ak_tests::server::{Client, PASSWORD, Reply, Server};
use serde_json::json;

const LOGIN: &str = "/if/flow/default-authentication-flow/";
const SIGN_OUT: &str = "/flows/-/default/invalidation/";

/// A page: strict policy, nothing inline, small, not kept by caches.
#[track_caller]
fn page(reply: Reply) -> Reply {
    assert!(reply.header("content-type").starts_with("text/html"), "{} {}", reply.status, reply.text);
    let policy = reply.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("x-frame-options", "SAMEORIGIN")]
    {
        assert_eq!(reply.header(name), value, "{name}");
    }
    for tag in reply.text.split('<').map(|t| t.split('>').next().unwrap_or_default()) {
        assert!(!tag.starts_with("style") && !tag.contains(" style=") && !tag.contains(" onclick="), "{tag}");
        assert!(!tag.starts_with("script") || tag.contains(" src="), "{tag}");
    }
    assert!(reply.text.len() < 30_000, "{} bytes", reply.text.len());
    reply
}

async fn see(client: &Client, path: &str) -> Reply {
    page(client.follow(path).await)
}

/// Fills in a form and goes on to the page behind it.
async fn fill(client: &Client, on: &Reply, fields: &[(&str, &str)]) -> Reply {
    let reply = client.submit(on, fields).await;
    match reply.status {
        303 => see(client, reply.location()).await,
        _ => page(reply),
    }
}

fn asks_for(page: &Reply, field: &str) -> bool {
    page.text.contains(&format!("name=\"{field}\""))
}

async fn is_signed_in(client: &Client) -> bool {
    client.get("/api/v3/core/users/me/").await.status == 200
}

/// A browser that has typed a name.
async fn at_password(server: &Server, path: &str) -> (Client, Reply) {
    let client = server.client();
    let first = see(&client, path).await;
    let second = fill(&client, &first, &[("uid_field", "akadmin")]).await;
    assert!(asks_for(&second, "password"), "{}", second.text);
    (client, second)
}

#[tokio::test]
async fn the_step_is_in_the_address_and_the_way_on_stays_there() {
    let server = Server::start().await;
    let client = server.client();
    let first = see(&client, &format!("{LOGIN}?next=%2Fif%2Fuser%2F%3Fa%3Db")).await;
    let taken = client.submit(&first, &[("uid_field", "akadmin")]).await;
    assert_eq!(
        (taken.status, taken.location()),
        (303, "/if/flow/default-authentication-flow/?next=%2Fif%2Fuser%2F%3Fa%3Db&step=password")
    );
    let second = see(&client, taken.location()).await;
    let done = client.submit(&second, &[("password", PASSWORD)]).await;
    assert_eq!((done.status, done.location()), (303, "/if/user/?a=b"));
    assert!(see(&client, "/if/user/").await.text.contains("authentik Default Admin"));
}

#[tokio::test]
async fn reloading_and_going_back_ask_nothing_twice() {
    let server = Server::start().await;
    let (client, _) = at_password(&server, LOGIN).await;
    for path in [format!("{LOGIN}?step=password"), LOGIN.to_owned(), format!("{LOGIN}?step=identification")] {
        assert!(asks_for(&see(&client, &path).await, "password"), "{path}");
    }
}

#[tokio::test]
async fn what_is_wrong_stands_beside_the_field() {
    let server = Server::start().await;
    let (client, second) = at_password(&server, LOGIN).await;
    let wrong = client.submit(&second, &[("password", "wrong")]).await;
    assert_eq!(wrong.status, 200);
    let wrong = page(wrong);
    assert!(wrong.text.contains("id=\"field-password-error\"") && wrong.text.contains("aria-invalid=\"true\""), "{}", wrong.text);
    assert!(!wrong.text.contains("value=\"wrong\""), "a password is not sent back");
    let done = client.submit(&wrong, &[("password", PASSWORD)]).await;
    assert_eq!(done.status, 303);
    assert!(is_signed_in(&client).await);
}

#[tokio::test]
async fn a_form_counts_only_in_the_session_the_flow_and_the_turn_it_was_made_for() {
    let server = Server::start().await;
    let stage = server.make("stages/dummy", &json!({ "name": "dummy" })).await;
    server.flow("other", "stage_configuration", &[&stage]).await;
    let (client, second) = at_password(&server, LOGIN).await;
    let (_, foreign) = at_password(&server, LOGIN).await;
    let older = fill(&client, &second, &[("password", "wrong")]).await;
    let newer = fill(&client, &older, &[("password", "wrong")]).await;
    let another = see(&server.client(), "/if/flow/other/").await;
    let failures = server.events("login_failed").await.len();
    for (csrf, turn) in [
        (foreign.hidden("csrf"), foreign.hidden("turn")),
        (foreign.hidden("csrf"), newer.hidden("turn")),
        (another.hidden("csrf"), another.hidden("turn")),
        (older.hidden("csrf"), older.hidden("turn")),
        (older.hidden("csrf"), newer.hidden("turn")),
        (String::new(), newer.hidden("turn")),
        (newer.hidden("csrf"), String::new()),
        (newer.hidden("csrf"), "-1".into()),
        (newer.hidden("csrf"), "99999999999999999999".into()),
    ] {
        let fields = [("csrf", csrf.as_str()), ("turn", &turn), ("component", "ak-stage-password"), ("password", PASSWORD)];
        let reply = client.form(LOGIN, &fields).await;
        assert!(reply.status == 303 && reply.location().starts_with(LOGIN), "{turn}: {}", reply.location());
        assert!(reply.cookies().is_empty());
    }
    assert_eq!(server.events("login_failed").await.len(), failures, "nothing was taken");
    assert!(!is_signed_in(&client).await);
    let still = see(&client, LOGIN).await;
    assert_eq!(client.submit(&still, &[("password", PASSWORD)]).await.status, 303);
    assert!(is_signed_in(&client).await);
}

#[tokio::test]
async fn a_form_on_another_site_never_touches_the_session() {
    let server = Server::start().await;
    let client = server.signed_in("akadmin").await;
    let attacker = see(&server.client(), LOGIN).await;
    let before = server.rows().await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        // The browser leaves the cookie at home; the token is one that the attacker has fetched.
        let reply = server.client().header(name, value).submit(&attacker, &[("uid_field", "mallory")]).await;
        assert_eq!((reply.status, reply.location()), (303, LOGIN), "{name}: {value}");
        assert!(reply.cookies().is_empty(), "{:?}", reply.cookies());
    }
    assert_eq!(server.rows().await, before);
    assert!(is_signed_in(&client).await);
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_refused_with_a_page() {
    let server = Server::start().await;
    let client = server.client();
    let large = vec![b'x'; 10_000_000];
    let reply = page(client.send(|http, url| http.post(url).body(large), LOGIN).await);
    assert_eq!(reply.status, 413);
    let reply = client.send(|http, url| http.post(url).body(vec![0xff, b'=', 0xfe]), LOGIN).await;
    assert!(matches!(reply.status, 303 | 400), "{}", reply.status);
    assert!(reply.cookies().is_empty());
}

#[tokio::test]
async fn pages_of_errors_carry_the_id_of_the_request() {
    let server = Server::start().await;
    let stage = server.make("stages/dummy", &json!({ "name": "broken-stage", "throw_error": true })).await;
    server.flow("broken", "stage_configuration", &[&stage]).await;
    let odd = format!("/{}", "x/".repeat(2000));
    for (path, status) in [
        ("/no/such/page", 404),
        ("/if/flow/no-such-flow/", 404),
        ("/if/flow/broken/", 500),
        ("/if/flow/%ff/", 404),
        (odd.as_str(), 404),
    ] {
        let reply = page(server.client().get(path).await);
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.text.contains(reply.header("x-authentik-id")) && reply.header("x-authentik-id").len() == 32, "{path}");
        assert!(!reply.text.contains("broken-stage"));
    }
}

#[tokio::test]
async fn cancelling_begins_again() {
    let server = Server::start().await;
    let (client, second) = at_password(&server, &format!("{LOGIN}?next=%2Fif%2Fuser%2F")).await;
    let link = second.text.split("href=\"").find_map(|l| l.split('"').next().filter(|l| l.contains("/-/cancel/"))).unwrap();
    let again = see(&client, &link.replace("&amp;", "&")).await;
    assert!(asks_for(&again, "uid_field"), "{}", again.text);
    let second = fill(&client, &again, &[("uid_field", "akadmin")]).await;
    let done = client.submit(&second, &[("password", PASSWORD)]).await;
    assert_eq!(done.location(), "/if/user/", "on the way to the same goal");
}

#[tokio::test]
async fn the_short_way_leads_to_the_brands_flow_else_to_the_first_that_lets_the_person_through() {
    let server = Server::start().await;
    let go = async |to: &str| server.client().get(&format!("/flows/-/default/{to}/?a=b")).await;
    assert_eq!(go("authentication").await.location(), "/if/flow/default-authentication-flow/?a=b");
    assert_eq!(page(go("recovery").await).status, 404);
    assert_eq!(page(go("nonsense").await).status, 404);
    let admin = server.key_of("flows/instances", "slug=default-authentication-flow").await;
    assert!(!admin.is_empty());
    let closed = server.flow("a-recovery", "recovery", &[]).await;
    let user = server.user("ada").await;
    let only = json!({ "target": closed["policybindingmodel_ptr_id"], "user": user.pk, "order": 0 });
    server.make("policies/bindings", &only).await;
    assert_eq!(page(go("recovery").await).status, 404, "the only flow is for somebody else");
    server.flow("c-recovery", "recovery", &[]).await;
    let named = server.flow("b-recovery", "recovery", &[]).await;
    assert_eq!(go("recovery").await.location(), "/if/flow/b-recovery/?a=b");
    assert_eq!(server.signed_in("ada").await.get("/flows/-/default/recovery/").await.location(), "/if/flow/a-recovery/");
    let brand = server.key_of("core/brands", "default=true").await;
    server.change("core/brands", &brand, &json!({ "flow_recovery": closed["pk"] })).await;
    assert_eq!(go("recovery").await.location(), "/if/flow/a-recovery/?a=b", "the brand's flow comes first");
    assert_eq!(named["designation"], "recovery");
}

#[tokio::test]
async fn the_way_on_never_leaves_the_server() {
    let server = Server::start().await;
    let client = server.signed_in("akadmin").await;
    let base = url::Url::parse(&server.url).unwrap();
    let tricks = [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "http:///evil.example",
        "/@evil.example",
        "//user:pass@evil.example",
        "https://127.0.0.1@evil.example",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "/\u{0}/evil.example",
        "%2F%2Fevil.example",
        "/%2F%2Fevil.example",
        "/%5Cevil.example",
        "/..//evil.example",
        "/.//evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        " //evil.example",
        "/ /evil.example",
        "．//evil.example",
        "evil.example",
    ];
    for trick in tricks {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", trick).finish();
        for path in [LOGIN, "/flows/-/cancel/", "/flows/-/default/authentication/"] {
            let reply = client.get(&format!("{path}?{query}")).await;
            assert_eq!(reply.status, 303, "{path} {trick:?}");
            let to = base.join(reply.location()).unwrap();
            assert_eq!(to.origin(), base.origin(), "{path} {trick:?} leads to {}", reply.location());
            assert!(reply.location().starts_with('/') && !reply.location().starts_with("//"), "{trick:?}");
        }
    }
}

#[tokio::test]
async fn a_recovery_key_signs_in_once_and_looking_spends_nothing() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    for form in ["/recovery/use-token/KEY/", "/recovery/use-token/?token=KEY"] {
        let key = server.key(ada.pk, TokenIntent::Recovery, Some(chrono::Duration::minutes(30))).await;
        let path = form.replace("KEY", &key);
        let client = server.client();
        for _ in 0..3 {
            assert!(page(client.get(&path).await).text.contains("ada"));
            client.send(|http, url| http.head(url), &path).await;
        }
        let csrf = client.get(&path).await.hidden("csrf");
        let forged = client.form(&path, &[("csrf", "forged")]).await;
        assert_eq!(forged.status, 303);
        let foreign = client.clone().header("sec-fetch-site", "cross-site").form(&path, &[("csrf", &csrf)]).await;
        assert!(foreign.status == 303 && foreign.cookies().is_empty());
        let done = client.form(&path, &[("csrf", &csrf)]).await;
        assert_eq!((done.status, done.location()), (303, "/if/user/"), "{}", done.text);
        assert!(is_signed_in(&client).await);
        assert_eq!(page(server.client().get(&path).await).status, 404);
        assert_eq!(page(server.client().form(&path, &[("csrf", &csrf)]).await).status, 404);
    }
    assert_eq!(server.events("login").await[0].context["auth_method"], "recovery");
}

#[tokio::test]
async fn of_fifty_who_spend_a_recovery_key_at_once_one_wins() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let key = server.key(ada.pk, TokenIntent::Recovery, Some(chrono::Duration::minutes(30))).await;
    let path = format!("/recovery/use-token/{key}/");
    let csrf = server.client().get(&path).await.hidden("csrf");
    let clients: Vec<Client> = (0..50).map(|_| server.client()).collect();
    let fields = [("csrf", csrf.as_str())];
    let replies = futures::future::join_all(clients.iter().map(|c| c.form(&path, &fields))).await;
    let won = replies.iter().filter(|r| r.location() == "/if/user/").count();
    let statuses: Vec<u16> = replies.iter().map(|r| r.status).collect();
    assert_eq!(won, 1, "{statuses:?}");
    assert!(statuses.iter().all(|s| matches!(s, 303 | 404 | 503)), "{statuses:?}");
    assert_eq!(server.rows().await.0, 1);
}

#[tokio::test]
async fn a_recovery_key_that_is_over_or_none_or_somebodys_who_may_not_is_refused() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let expired = server.key(ada.pk, TokenIntent::Recovery, Some(chrono::Duration::minutes(30))).await;
    let api = server.key(ada.pk, TokenIntent::Api, None).await;
    let csrf_of = async |key: &str| server.client().get(&format!("/recovery/use-token/{key}/")).await.hidden("csrf");
    let csrf = csrf_of(&expired).await;
    server.clock.advance(chrono::Duration::minutes(31));
    let inactive = server.key(ada.pk, TokenIntent::Recovery, None).await;
    let inactive_csrf = csrf_of(&inactive).await;
    let mut repo = server.store.backend().begin(Durability::Full).await.unwrap();
    repo.users().update(&ak_store::records::User { is_active: false, ..ada }, server.now()).await.unwrap();
    repo.save().await.unwrap();
    for (key, csrf) in
        [(expired.as_str(), &csrf), (&inactive, &inactive_csrf), (&api, &csrf), ("no-such-key", &csrf), ("<b>", &csrf)]
    {
        let path = format!("/recovery/use-token/{}/", key.replace(['<', '>'], "%3C"));
        assert_eq!(page(server.client().get(&path).await).status, 404, "{key}");
        let client = server.client();
        let reply = client.form(&path, &[("csrf", csrf)]).await;
        assert!(matches!(reply.status, 303 | 404) && reply.location() != "/if/user/", "{key}: {}", reply.status);
        assert!(!is_signed_in(&client).await);
    }
    assert_eq!(server.rows().await.0, 0);
}

#[tokio::test]
async fn signing_out_is_for_who_goes_there_not_for_pictures_and_frames_of_other_sites() {
    let server = Server::start().await;
    let client = server.signed_in("akadmin").await;
    for (dest, site) in [
        ("image", "cross-site"),
        ("iframe", "cross-site"),
        ("script", "same-site"),
        ("empty", "cross-site"),
        ("image", "same-origin"),
    ] {
        let embedded = client.clone().header("sec-fetch-dest", dest).header("sec-fetch-site", site);
        embedded.follow(SIGN_OUT).await;
        assert!(is_signed_in(&client).await, "{dest} {site}");
    }
    client.clone().send(|http, url| http.head(url), "/if/flow/default-invalidation-flow/").await;
    client.clone().header("sec-purpose", "prefetch").follow(SIGN_OUT).await;
    assert!(is_signed_in(&client).await, "looking ahead is not going there");
    let link = client.clone().header("sec-fetch-dest", "document").header("sec-fetch-site", "cross-site");
    page(link.follow(SIGN_OUT).await);
    assert!(!is_signed_in(&client).await);
    assert_eq!(server.events("logout").await.len(), 1);
}

#[tokio::test]
async fn a_flow_that_does_not_sign_out_does_not_look_as_if_it_did() {
    let server = Server::start().await;
    let flow = server.flow("quiet", "invalidation", &[]).await;
    let brand = server.key_of("core/brands", "default=true").await;
    server.change("core/brands", &brand, &json!({ "flow_invalidation": flow["pk"] })).await;
    let client = server.signed_in("akadmin").await;
    let shown = see(&client, SIGN_OUT).await;
    assert!(shown.text.to_lowercase().contains("still signed in"), "{}", shown.text);
    assert!(is_signed_in(&client).await);
    assert_eq!(server.events("configuration_warning").await.len(), 1);
}

#[tokio::test]
async fn head_is_answered_wherever_get_is() {
    let server = Server::start().await;
    let client = server.signed_in("akadmin").await;
    let pk = server.key_of("stages/user_login", "name=default-authentication-login").await;
    let object = format!("/api/v3/stages/user_login/{pk}/");
    for path in [
        "/",
        "/if/user/",
        SIGN_OUT,
        "/flows/-/cancel/",
        "/recovery/use-token/none/",
        "/no/such/page",
        "/-/health/live/",
        "/-/health/ready/",
        "/metrics",
        "/api/v3/root/config/",
        "/api/v3/core/users/me/",
        "/api/v3/core/brands/current/",
        "/api/v3/flows/instances/",
        "/api/v3/stages/all/types/",
        object.as_str(),
        "/api/v3/flows/executor/default-authentication-flow/",
        "/static/dist/assets/icons/icon.png",
        "/api/v3/nothing/",
    ] {
        let (get, head) = (client.get(path).await, client.send(|http, url| http.head(url), path).await);
        assert_eq!((get.status, get.location()), (head.status, head.location()), "{path}");
        assert!(head.text.is_empty(), "{path}");
    }
    // A flow does not go on by being asked for its headers, so it is looked at by nobody.
    let head = server.client().send(|http, url| http.head(url), LOGIN).await;
    assert_eq!((head.status, head.header("content-type")), (200, "text/html; charset=utf-8"));
}

#[tokio::test]
async fn a_brand_looks_as_its_administrator_says() {
    let server = Server::start().await;
    let brand = server.key_of("core/brands", "default=true").await;
    let look = json!({
        "branding_title": "Acme & <Sons>", "branding_logo": "https://cdn.example/logo.svg", "branding_favicon": "/static/own.ico",
        "branding_custom_css": ":root { --ak-accent: #b00020; }", "attributes": { "settings": { "theme": { "base": "dark" } } },
    });
    server.change("core/brands", &brand, &look).await;
    let client = server.client();
    let shown = see(&client, LOGIN).await;
    for text in
        ["Acme &amp; &lt;Sons&gt;", "https://cdn.example/logo.svg", "/static/own.ico", "data-theme=\"dark\"", "/custom.css"]
    {
        assert!(shown.text.contains(text), "{text} in {}", shown.text);
    }
    for link in shown.text.split("rel=\"stylesheet\" href=\"").skip(1).map(|l| l.split('"').next().unwrap().replace("&amp;", "&"))
    {
        let sheet = client.get(&link).await;
        assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/css; charset=utf-8"), "{link}");
    }
    assert!(client.get(&format!("/-/brand/{brand}/custom.css")).await.text.contains("#b00020"));
}

#[tokio::test]
async fn a_brand_counts_for_its_domain_and_those_below_it() {
    let server = Server::start().await;
    for (domain, title) in [("example.com", "Outer"), ("in.example.com", "Inner")] {
        server.make("core/brands", &json!({ "domain": domain, "branding_title": title })).await;
    }
    for (host, title) in [
        ("example.com", "Outer"),
        ("EXAMPLE.com:8443", "Outer"),
        ("a.example.com", "Outer"),
        ("in.example.com", "Inner"),
        ("a.in.example.com", "Inner"),
        ("badexample.com", "ak"),
        ("example.com.evil", "ak"),
        ("com", "ak"),
        ("main.example.com", "Outer"),
    ] {
        let shown = server.client().header("host", host).get(LOGIN).await;
        assert!(shown.text.contains(&format!("– {title}</title>")), "{host}: {}", shown.text);
        let brand = server.client().header("host", host).get("/api/v3/core/brands/current/").await;
        assert_eq!(brand.body["branding_title"], title, "{host}");
    }
}
