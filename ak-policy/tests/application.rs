//! Where applications lead.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ak_policy::LaunchUrl;
use ak_store::records::{User, UserType};
use chrono::DateTime;
use uuid::Uuid;

fn ada() -> User {
    User {
        pk: 7,
        uuid: Uuid::from_u128(7),
        username: "ada@x/y".into(),
        name: "Ada L".into(),
        email: "ada+1@example.com".into(),
        is_active: true,
        r#type: UserType::Internal,
        path: "users".into(),
        attributes: serde_json::Map::new(),
        password: None,
        password_change_date: DateTime::UNIX_EPOCH,
        date_joined: DateTime::UNIX_EPOCH,
        last_login: None,
        last_updated: DateTime::UNIX_EPOCH,
    }
}

#[test]
fn places_are_filled_and_what_fills_them_stays_one_part() {
    for (text, made) in [
        ("https://a.example/", "https://a.example/"),
        ("https://a.example/%20b/100%%", "https://a.example/%20b/100%%"),
        ("https://a.example/%(username)s/", "https://a.example/ada%40x%2Fy/"),
        ("https://a.example/?n=%(name)s&m=%(email)s&p=%%20", "https://a.example/?n=Ada%20L&m=ada%2B1%40example.com&p=%20"),
        ("https://%(type)s.a.example/%(pk)s/%(path)s", "https://internal.a.example/7/users"),
        ("https://a.example/%(username", "https://a.example/%(username"),
    ] {
        assert_eq!(LaunchUrl::parse(text).unwrap().made_for(Some(&ada()), "i"), made, "{text}");
        assert_eq!(LaunchUrl::parse(text).unwrap().made_for(None, "i"), text);
    }
}

#[test]
fn only_addresses_of_the_web_are_taken() {
    for good in ["", "http://localhost:8080", "https://münchen.example/ö", "blank://blank", "https://intranet/"] {
        assert!(LaunchUrl::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "%(username)s://x",
        "%(username)s",
        "x",
        "/x",
        "//x",
        "https://",
        "https://a.example/%(password)s",
        "https://a.example/%(attributes)s",
        "file:///etc/passwd",
        "ftp://a.example",
    ] {
        assert!(LaunchUrl::parse(bad).is_err(), "{bad}");
    }
    assert!(LaunchUrl::parse("https://a.example/%(password)s").unwrap_err().contains("%(password)s"));
}
