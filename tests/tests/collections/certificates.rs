//! Certificates: made, uploaded, told.

use ak_store::model::Secret;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;

const GENERATE: &str = "/api/v3/crypto/certificatekeypairs/generate/";

/// The certificate of an object.
async fn pem(server: &Server, made: &Value) -> Vec<u8> {
    let view = format!("/api/v3/crypto/certificatekeypairs/{}/view_certificate/", made["pk"].as_str().unwrap());
    let text = server.admin().get(&view).await.body["data"].as_str().unwrap().to_owned();
    x509_parser::pem::parse_x509_pem(text.as_bytes()).unwrap().1.contents
}

#[tokio::test]
async fn a_certificate_is_made_with_each_algorithm_for_the_names_and_days_that_were_asked_for() {
    let server = Server::start().await;
    let admin = server.admin();
    for (alg, key_type) in [("ecdsa", "ec"), ("ed25519", "ed25519"), ("rsa", "rsa")] {
        let name = format!("{alg}, \"quoted\" #1");
        let wish = json!({ "common_name": name, "subject_alt_name": "a.example, *.b.example,10.0.0.1,,::1", "validity_days": 30, "alg": alg });
        let made = admin.post(GENERATE, &wish).await;
        assert_eq!(made.status, 200, "{}", made.text);
        exact("POST", "/crypto/certificatekeypairs/generate/", &made);
        assert_eq!((&made.body["key_type"], &made.body["private_key_available"]), (&json!(key_type), &json!(true)));
        assert_eq!(made.body["cert_subject"], format!("CN={alg}\\, \\\"quoted\\\" #1"), "RFC 4514");
        assert_eq!(made.body["cert_expiry"], "2026-12-01T12:00:00Z", "thirty days from now");
        let der = pem(&server, &made.body).await;
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        assert_eq!(certificate.subject(), certificate.issuer());
        let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
        assert!(
            names[..2] == [GeneralName::DNSName("a.example"), GeneralName::DNSName("*.b.example")] && names.len() == 4,
            "{names:?}"
        );
        let digest: Vec<String> = <sha2::Sha256 as sha2::Digest>::digest(&der).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(made.body["fingerprint_sha256"], digest.join(":"));
    }
    let twice = admin.post(GENERATE, &json!({ "common_name": "ecdsa, \"quoted\" #1", "validity_days": 1, "alg": "ecdsa" })).await;
    assert!(twice.status == 400 && twice.body["common_name"].is_array(), "{}", twice.text);
    assert_eq!(server.events("model_created").await.len(), 3);
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_at_its_field() {
    let server = Server::start().await;
    let admin = server.admin();
    let long = "x".repeat(65);
    for (field, change) in [
        ("common_name", json!({ "common_name": "" })),
        ("common_name", json!({ "common_name": long })),
        ("common_name", json!({ "common_name": null })),
        ("common_name", json!({ "common_name": "a\u{0}b" })),
        ("validity_days", json!({ "validity_days": 0 })),
        ("validity_days", json!({ "validity_days": -5 })),
        ("validity_days", json!({ "validity_days": 36501 })),
        ("validity_days", json!({ "validity_days": "many" })),
        ("alg", json!({ "alg": "rot13" })),
        ("alg", json!({ "alg": "ed448" })),
        ("subject_alt_name", json!({ "subject_alt_name": ["a.example"] })),
        ("subject_alt_name", json!({ "subject_alt_name": "a b.example" })),
        ("subject_alt_name", json!({ "subject_alt_name": "münchen.example" })),
    ] {
        let mut wish = json!({ "common_name": "new", "validity_days": 1, "alg": "ecdsa" });
        wish.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let reply = admin.post(GENERATE, &wish).await;
        assert!(reply.status == 400 && reply.body[field][0].is_string(), "{change}: {}", reply.text);
    }
    let empty = admin.post(GENERATE, &json!({})).await;
    let required = json!(["This field is required."]);
    assert_eq!((&empty.body["common_name"], &empty.body["validity_days"]), (&required, &required), "{}", empty.text);
    refused(&admin.get(GENERATE).await, 405);
    assert!(server.events("model_created").await.is_empty());
}

#[tokio::test]
async fn a_key_is_taken_only_with_its_own_certificate() {
    let server = Server::start().await;
    let admin = server.admin();
    let path = "/api/v3/crypto/certificatekeypairs/";
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
        let name = format!("{algorithm:?}");
        let (pem, key) = certificate("a.example", algorithm);
        let (other, other_key) = certificate("b.example", algorithm);
        let wrong = admin.post(path, &json!({ "name": name, "certificate_data": pem, "key_data": other_key })).await;
        assert!(wrong.status == 400 && wrong.body["key_data"][0].is_string(), "{}", wrong.text);
        let made = admin.post(path, &json!({ "name": name, "certificate_data": pem, "key_data": key })).await;
        assert_eq!((made.status, &made.body["private_key_available"]), (201, &json!(true)), "{}", made.text);
        // The certificate alone cannot be exchanged below its key.
        let at = format!("{path}{}/", made.body["pk"].as_str().unwrap());
        let changed = admin.patch(&at, &json!({ "certificate_data": other })).await;
        assert!(changed.status == 400 && changed.body["key_data"].is_array(), "{}", changed.text);
        let both = admin.patch(&at, &json!({ "certificate_data": other, "key_data": other_key })).await;
        assert_eq!(both.status, 200, "{}", both.text);
        assert_ne!(both.body["fingerprint_sha1"], made.body["fingerprint_sha1"]);
        let without = admin.patch(&at, &json!({ "key_data": "" })).await;
        assert_eq!((without.status, &without.body["private_key_available"]), (200, &json!(false)), "{}", without.text);
    }
    let (pem, key) = certificate("c.example", &rcgen::PKCS_ECDSA_P256_SHA256);
    for (field, body) in [
        ("certificate_data", json!({ "certificate_data": "x" })),
        ("certificate_data", json!({ "certificate_data": key })),
        ("certificate_data", json!({ "certificate_data": pem.replace("MII", "AAA") })),
        ("certificate_data", json!({ "certificate_data": "" })),
        ("certificate_data", json!({ "certificate_data": 7 })),
        ("key_data", json!({ "certificate_data": pem, "key_data": pem })),
        (
            "key_data",
            json!({ "certificate_data": pem, "key_data": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----" }),
        ),
        ("key_data", json!({ "certificate_data": pem, "key_data": [] })),
    ] {
        let mut body = body.clone();
        body["name"] = json!("bad");
        let reply = admin.post(path, &body).await;
        assert!(reply.status == 400 && reply.body[field][0].is_string(), "{body}: {}", reply.text);
        assert!(!reply.text.contains(key.lines().nth(1).unwrap()), "no key in an answer");
    }
    assert_eq!(format!("{:?}", Secret::new(key.clone())).matches(&key).count(), 0);
}

#[tokio::test]
async fn a_key_that_was_made_is_that_of_its_certificate_and_looking_at_it_is_told() {
    let server = Server::start().await;
    let admin = server.admin();
    let made = admin.post(GENERATE, &json!({ "common_name": "made", "validity_days": 1, "alg": "ecdsa" })).await;
    let view = format!("/api/v3/crypto/certificatekeypairs/{}/view_private_key/", made.body["pk"].as_str().unwrap());
    let key = admin.get(&view).await;
    exact("GET", "/crypto/certificatekeypairs/{kp_uuid}/view_private_key/", &key);
    let pair = rcgen::KeyPair::from_pem(key.body["data"].as_str().unwrap()).unwrap();
    let der = pem(&server, &made.body).await;
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(rcgen::PublicKeyData::der_bytes(&pair), &*certificate.public_key().subject_public_key.data);
    assert_eq!(server.events("secret_view").await.len(), 1);
    let ada = server.user("ada").await;
    let stranger = server.signed_in(&ada.username).await;
    refused(&stranger.get(&view).await, 403);
    let token = server.key(ada.pk, ak_store::records::TokenIntent::Api, None).await;
    let stranger = server.client().header("authorization", &format!("Bearer {token}"));
    refused(&stranger.post(GENERATE, &json!({ "common_name": "x", "validity_days": 1 })).await, 403);
}
