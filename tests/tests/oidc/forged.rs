//! Tokens and marks that somebody else has made, or that are for something else.

use ak_providers::oauth2::jwt::Signer;
use ak_store::certificate::CertificateKeyPair;
use ak_tests::server::Client;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Duration;
use jsonwebtoken::EncodingKey;
use serde_json::{Map, Value, json};

use crate::kit::{Back, CALLBACK, House, application, authorize};

const OUT: &str = "https://app.example/signed-out";

/// A house whose application people can be led back to after signing out.
async fn house() -> House {
    House::with(json!({ "redirect_uris": [
        { "matching_mode": "strict", "url": CALLBACK },
        { "matching_mode": "strict", "url": OUT, "redirect_uri_type": "logout" },
    ] }))
    .await
}

fn certificate(house: &House) -> CertificateKeyPair {
    let snapshot = house.server.store.snapshot();
    let found = snapshot.all::<CertificateKeyPair>().find(|(_, found)| found.name == "authentik Self-signed Certificate");
    found.unwrap().1.clone()
}

/// A token with this header and this body, before it is signed.
fn message(header: &Value, body: &str) -> String {
    format!("{}.{body}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// Whether the token says who is meant, and whether people are led away with it. Who is not, has not signed out either.
async fn counts(house: &House, browser: &Client, token: &str) -> (bool, bool) {
    let asked = house.authorize(&[("prompt", "none"), ("id_token_hint", token)]);
    let back = Back::of(&browser.get(&asked).await);
    let hinted = back.params.contains_key("code");
    assert!(hinted || back.error() == "invalid_request", "{back:?}");
    let query = [("post_logout_redirect_uri", OUT), ("id_token_hint", token)];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let reply = browser.get(&format!("/application/o/app/end-session/?{query}")).await;
    let led = reply.location() == OUT;
    assert!(led || (reply.status, reply.location()) == (400, ""), "{} {}", reply.status, reply.location());
    assert_eq!(browser.get("/api/v3/core/users/me/").await.status == 200, !led);
    (hinted, led)
}

#[tokio::test]
async fn a_token_that_we_have_not_signed_as_we_sign_is_none() {
    let house = house().await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let good = tokens["id_token"].as_str().unwrap();
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let header: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header.insert(name.to_owned(), value);
        Value::Object(header)
    };
    let key = certificate(&house).signing_key().unwrap().clone();
    let signed = |message: String| format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap()));
    let mut forged = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let message = message(&with("alg", json!(alg)), body);
        forged.extend([format!("{message}."), format!("{message}.{signature}"), message.clone(), signed(message)]);
    }
    // The public key, which everybody has, in all the forms in which it could be taken for a secret.
    let pem = certificate(&house).certificate_data.as_str().to_owned();
    let keys = house.server.client().get("/application/o/app/jwks/").await.body;
    let der = STANDARD.decode(keys["keys"][0]["x5c"][0].as_str().unwrap()).unwrap();
    let spki = public_key(&keys["keys"][0]);
    let armored = |lines: &str| format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n");
    let text = STANDARD.encode(&spki);
    let lines = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n");
    let secrets = [pem.clone().into_bytes(), pem.trim().as_bytes().to_vec(), der, spki, armored(&lines).into_bytes(), Vec::new()];
    for secret in secrets {
        let kid = header["kid"].as_str().map(str::to_owned);
        let header = jsonwebtoken::Header { kid, ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256) };
        forged.push(jsonwebtoken::encode(&header, &claims(body), &EncodingKey::from_secret(&secret)).unwrap());
    }
    // Signed by the right key, but not as we sign.
    forged.push(signed(message(&with("crit", json!(["exp"])), body)));
    for alg in ["HS256", "RS256", "PS256", "ES256", "EdDSA"].into_iter().filter(|alg| header["alg"] != *alg) {
        forged.push(signed(message(&with("alg", json!(alg)), body)));
    }
    forged.push(Signer::with_secret(&house.client_secret).unwrap().sign("JWT", &claims(body)).unwrap());
    let mut other = claims(body);
    other.insert("sub".into(), "mallory".into());
    forged.push(format!("{}.{}.{signature}", good.split('.').next().unwrap(), URL_SAFE_NO_PAD.encode(json!(other).to_string())));
    for token in &forged {
        assert_eq!(counts(&house, &browser, token).await, (false, false), "{token}");
    }
    // The same with nothing wrong counts.
    let again = signed(message(&Value::Object(header.clone()), body));
    assert_eq!(counts(&house, &browser, &again).await, (true, true));
}

/// The SubjectPublicKeyInfo of a key (RFC 3279, section 2.3.1; RFC 5480, section 2).
fn public_key(jwk: &Value) -> Vec<u8> {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let der = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, content].concat()
    };
    if jwk["kty"] == "EC" {
        let prefix = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
        return [&prefix[..], &[4], &number("x"), &number("y")].concat();
    }
    // Positive numbers.
    let integer = |name: &str| der(2, &[&[0][..], &number(name)].concat());
    let key = der(0x30, &[integer("n"), integer("e")].concat());
    let algorithm = hex::decode("300d06092a864886f70d0101010500").unwrap();
    der(0x30, &[algorithm, der(3, &[&[0][..], &key].concat())].concat())
}

fn claims(body: &str) -> Map<String, Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_for_something_else_is_no_id_token() {
    let house = house().await;
    let (other, _) = application(&house.server, "other", json!({})).await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let client_id = other["client_id"].as_str().unwrap();
    let code = Back::of(&browser.get(&authorize(client_id, &[])).await).params["code"].clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str().unwrap()),
        ("redirect_uri", CALLBACK),
        ("client_id", client_id),
        ("client_secret", other["client_secret"].as_str().unwrap()),
    ];
    let foreign = house.server.client().form("/application/o/token/", &fields).await.body["id_token"].clone();
    for token in [&foreign, &tokens["access_token"], &tokens["refresh_token"]] {
        assert_eq!(counts(&house, &browser, token.as_str().unwrap()).await, (false, false), "{token}");
    }
    assert_eq!(counts(&house, &browser, tokens["id_token"].as_str().unwrap()).await, (true, true));
    // Where the secret signs, another one signs nothing, and neither does none.
    house.change(json!({ "signing_key": null })).await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let good = tokens["id_token"].as_str().unwrap();
    let body = good.split('.').nth(1).unwrap();
    let foreign = Signer::with_secret(other["client_secret"].as_str().unwrap()).unwrap();
    let none = format!("{}.", message(&json!({ "alg": "none" }), body));
    for token in [foreign.sign("JWT", &claims(body)).unwrap(), none] {
        assert_eq!(counts(&house, &browser, &token).await, (false, false), "{token}");
    }
    assert_eq!(counts(&house, &browser, good).await, (true, true));
}

/// The mark of when a stranger has asked, as it comes back after signing in.
async fn mark(house: &House, client_id: &str) -> String {
    let reply = house.server.client().get(&authorize(client_id, &[("prompt", "login")])).await;
    let value = |query: &str, name: &str| {
        let found = url::form_urlencoded::parse(query.as_bytes()).find(|(found, _)| found == name);
        found.unwrap_or_else(|| panic!("no {name} in {query}")).1.into_owned()
    };
    let next = value(reply.location().split_once('?').unwrap().1, "next");
    value(next.split_once('?').unwrap().1, "ak_asked")
}

#[tokio::test]
async fn that_somebody_has_signed_in_since_counts_for_the_request_that_wanted_it() {
    let house = house().await;
    let (other, _) = application(&house.server, "other", json!({})).await;
    let own = mark(&house, &house.client_id).await;
    let foreign = mark(&house, other["client_id"].as_str().unwrap()).await;
    house.server.clock.advance(Duration::minutes(1));
    let browser = house.server.signed_in("ada").await;
    let ask = async |mark: &str| browser.get(&house.authorize(&[("prompt", "login"), ("ak_asked", mark)])).await;
    let is_sent_to_sign_in = |reply: &ak_tests::server::Reply| reply.location().starts_with("/if/flow/");
    assert!(Back::of(&ask(&own).await).params.contains_key("code"), "she has signed in since");
    assert!(is_sent_to_sign_in(&ask(&foreign).await), "that was for another client");
    let (micros, tag) = own.split_once('.').unwrap();
    let earlier = format!("{}.{tag}", micros.parse::<i64>().unwrap() - 1);
    for wrong in [earlier.as_str(), micros, tag, "", &format!("{own}x")] {
        assert!(is_sent_to_sign_in(&ask(wrong).await), "{wrong}");
    }
    let twice = house.authorize(&[("prompt", "login"), ("ak_asked", &own), ("ak_asked", &own)]);
    assert_eq!(Back::of(&browser.get(&twice).await).error(), "invalid_request");
    house.server.clock.advance(Duration::minutes(59));
    assert!(Back::of(&ask(&own).await).params.contains_key("code"), "an hour is not over");
    house.server.clock.advance(Duration::seconds(1));
    assert!(is_sent_to_sign_in(&ask(&own).await), "it was long ago");
}
