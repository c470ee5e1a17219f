//! What happened.

use serde_json::json;

use super::{Pair, at, id, map};
use crate::error::StoreError;
use crate::records::{Event, EventFilter, Events, Page};

/// An event of minute `n` that may be forgotten at minute 60.
fn event(n: u8, action: &str, user_pk: Option<i64>) -> Event {
    Event {
        pk: id(n.into()),
        action: action.into(),
        app: "ak.flows".into(),
        user: map(json!({"pk": user_pk, "username": "ada"})),
        user_pk,
        context: map(json!({"ü": [1, null]})),
        client_ip: Some("192.0.2.1".parse().unwrap()),
        created: at(n.into()),
        expires: at(60),
    }
}

async fn keys(events: &mut dyn Events, filter: &EventFilter, page: Page) -> Vec<u128> {
    events.list(filter, page).await.unwrap().iter().map(|event| event.pk.as_u128()).collect()
}

/// An event is what was given; its account need not exist (any more).
pub async fn add_and_find(pair: Pair) {
    let bare = Event { client_ip: None, user: map(json!({})), ..event(2, "login", None) };
    let mut tx = pair.write().await;
    tx.events().add(&event(1, "login", Some(7))).await.unwrap();
    tx.events().add(&bare).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.events().lookup(id(1)).await.unwrap(), Some(event(1, "login", Some(7))));
    assert_eq!(view.events().lookup(id(2)).await.unwrap(), Some(bare.clone()));
    assert_eq!(view.events().lookup(id(9)).await.unwrap(), None);
    drop(view);
    let error = pair.write().await.events().add(&bare).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("pk")), "{error}");
}

/// Lists come by time, the newest first, in parts, filtered.
pub async fn lists(pair: Pair) {
    let mut tx = pair.write().await;
    for event in [event(2, "login", Some(1)), event(3, "logout", Some(1)), event(1, "login", Some(2))] {
        tx.events().add(&event).await.unwrap();
    }
    // The same moment: the higher key first.
    tx.events().add(&Event { pk: id(9), ..event(2, "other", None) }).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    let action = |name: &str| Some(name.to_owned());
    for (filter, page, expected) in [
        (EventFilter::default(), Page::ALL, &[3, 9, 2, 1][..]),
        (EventFilter::default(), Page { offset: 1, limit: 2 }, &[9, 2]),
        (EventFilter { action: action("login"), user: None }, Page::ALL, &[2, 1]),
        (EventFilter { action: None, user: Some(1) }, Page::ALL, &[3, 2]),
        (EventFilter { action: action("login"), user: Some(2) }, Page::ALL, &[1]),
        (EventFilter { action: action("LOGIN"), user: None }, Page::ALL, &[]),
    ] {
        assert_eq!(keys(view.events(), &filter, page).await, expected, "{filter:?}");
        if page == Page::ALL {
            assert_eq!(view.events().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        }
    }
}

/// What may be forgotten is forgotten, and nothing else.
pub async fn expiry(pair: Pair) {
    let mut tx = pair.write().await;
    tx.events().add(&event(1, "login", None)).await.unwrap();
    tx.events().add(&Event { expires: at(90), ..event(2, "login", None) }).await.unwrap();
    assert_eq!(tx.events().delete_expired(at(59)).await.unwrap(), 0);
    assert_eq!(tx.events().delete_expired(at(60)).await.unwrap(), 1);
    assert_eq!(keys(tx.events(), &EventFilter::default(), Page::ALL).await, [2]);
    assert_eq!(tx.events().lookup(id(1)).await.unwrap(), None);
}
