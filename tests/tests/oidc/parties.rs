//! Clients that others have written, through the real pages.

use ak_tests::party::Party;
use ak_tests::server::{Client, PASSWORD};
use chrono::Utc;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse as _,
};
use serde_json::{Value, json};

use crate::kit::{CALLBACK, House, SCOPES};

const OUT: &str = "https://app.example/signed-out";

/// A house whose time is that of everybody else, by whose clocks these clients check tokens.
async fn house() -> House {
    let house = House::with(json!({ "redirect_uris": [
        { "matching_mode": "strict", "url": CALLBACK },
        { "matching_mode": "strict", "url": OUT, "redirect_uri_type": "logout" },
    ] }))
    .await;
    house.server.clock.advance(Utc::now() - house.server.now());
    house
}

/// Goes where a client sends the browser, signs in on the pages, and ends where the browser is led back.
async fn signed_in(house: &House, browser: &Client, authorize: &str) -> String {
    let path = authorize.strip_prefix(&house.server.url).unwrap_or_else(|| panic!("elsewhere: {authorize}"));
    let page = browser.follow(path).await;
    let page = browser.submit(&page, &[("uid_field", "ada")]).await;
    let page = browser.follow(page.location()).await;
    let reply = browser.submit(&page, &[("password", PASSWORD)]).await;
    let back = browser.get(reply.location()).await;
    assert!(back.location().starts_with(CALLBACK), "{}", back.text);
    back.location().to_owned()
}

fn issuer(house: &House) -> String {
    format!("{}/application/o/app/", house.server.url)
}

/// A request of `openidconnect` by the HTTP client that the other tests use.
async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let (parts, body) = request.into_parts();
    let reply = http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send().await?;
    let (status, headers) = (reply.status(), reply.headers().clone());
    let mut response = HttpResponse::new(reply.bytes().await?.to_vec());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

#[tokio::test]
async fn openidconnect_of_rust_signs_in() {
    let house = house().await;
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let http = |request: HttpRequest| send(plain.clone(), request);
    let metadata = CoreProviderMetadata::discover_async(IssuerUrl::new(issuer(&house)).unwrap(), &http).await.unwrap();
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new(house.client_id.clone()),
        Some(ClientSecret::new(house.client_secret.clone())),
    )
    .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(SCOPES.split(' ').map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let back = url::Url::parse(&signed_in(&house, &house.server.client(), url.as_str()).await).unwrap();
    let of = |name: &str| back.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned();
    assert_eq!(of("state"), *state.secret());
    let code = AuthorizationCode::new(of("code"));
    let tokens = client.exchange_code(code).unwrap().set_pkce_verifier(verifier).request_async(&http).await.unwrap();
    let id_token = tokens.id_token().unwrap();
    let checks = client.id_token_verifier();
    let claims = id_token.claims(&checks, &nonce).unwrap();
    assert_eq!(claims.preferred_username().unwrap().as_str(), "ada");
    let made = AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg().unwrap(),
        id_token.signing_key(&checks).unwrap(),
    );
    assert_eq!(made.unwrap(), *claims.access_token_hash().unwrap());
    let refresh = tokens.refresh_token().unwrap();
    let renewed = client.exchange_refresh_token(refresh).unwrap().request_async(&http).await.unwrap();
    renewed.id_token().unwrap().claims(&checks, |_: Option<&Nonce>| Ok(())).unwrap();
}

#[tokio::test]
async fn authlib_of_python_signs_in() {
    let house = house().await;
    let issuer = issuer(&house);
    let arguments = [issuer.as_str(), &house.client_id, &house.client_secret, CALLBACK, SCOPES];
    let mut party = Party::python("authlib_client.py", &["authlib==1.9.9", "flask==3.1.3", "requests==2.34.2"], &arguments).await;
    let login = party.ask(&json!({ "get": "/login" })).await;
    let back = signed_in(&house, &house.server.client(), login["location"].as_str().unwrap()).await;
    let done = party.ask(&json!({ "get": back.strip_prefix("https://app.example").unwrap() })).await;
    assert_eq!(done["status"], 200, "{done}");
    for part in ["id_token", "userinfo", "renewed"] {
        assert_eq!(done["body"][part]["preferred_username"], "ada", "{part}: {done}");
    }
    // What was used up is refused, and the application notices.
    let again = party.ask(&json!({ "get": back.strip_prefix("https://app.example").unwrap() })).await;
    assert_eq!(again["status"], 500, "{again}");
}

#[tokio::test]
async fn openid_client_of_javascript_signs_in_and_out() {
    let house = house().await;
    let issuer = issuer(&house);
    let arguments = [issuer.as_str(), &house.client_id, &house.client_secret, CALLBACK, SCOPES, OUT];
    let mut party = Party::node("openid_client.mjs", &["openid-client@6.8.9"], &arguments).await;
    let login = party.ask(&json!({ "call": "login" })).await;
    let browser = house.server.client();
    let back = signed_in(&house, &browser, login["location"].as_str().unwrap()).await;
    let done: Value = party.ask(&json!({ "call": "callback", "url": back })).await;
    assert_eq!(
        (&done["claims"]["preferred_username"], &done["userinfo"]["email"]),
        (&json!("ada"), &json!("ada@example.com")),
        "{done}"
    );
    assert_eq!((&done["active"], &done["after"]), (&json!(true), &json!(false)), "{done}");
    assert!(done["machine"].as_str().unwrap().eq_ignore_ascii_case("bearer"));
    let end = browser.get(done["end"].as_str().unwrap().strip_prefix(&house.server.url).unwrap()).await;
    assert_eq!(end.location(), format!("{OUT}?state=bye"), "{}", end.text);
}
