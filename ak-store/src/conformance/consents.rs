//! What people have agreed to.

use super::{Pair, at, id};
use crate::error::StoreError;
use crate::records::{By, ConsentFilter, ConsentOrder, NewConsent, Page, Word};

/// A consent that ends at minute 60.
fn consent(user: i64, application: u128) -> NewConsent {
    NewConsent { user, application: id(application), permissions: "openid profile".into(), expires: Some(at(60)) }
}

/// A consent is what was given, holds until it ends, and takes the place of an earlier one.
pub async fn put_and_find(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    let kept = tx.consents().put(&consent(ada.pk, 1)).await.unwrap();
    let eternal = NewConsent { expires: None, permissions: String::new(), ..consent(ada.pk, 2) };
    let other = tx.consents().put(&eternal).await.unwrap();
    tx.save().await.unwrap();
    assert_ne!(kept.pk, other.pk);
    let mut view = pair.read().await;
    let found = view.consents().find(ada.pk, id(1), at(59)).await.unwrap().unwrap();
    assert_eq!(found, kept);
    assert_eq!((found.user, found.permissions.as_str(), found.expires), (ada.pk, "openid profile", Some(at(60))));
    assert_eq!(view.consents().find(ada.pk, id(1), at(60)).await.unwrap(), None);
    assert_eq!(view.consents().find(ada.pk, id(2), at(9999)).await.unwrap(), Some(other));
    assert_eq!(view.consents().find(bob.pk, id(1), at(0)).await.unwrap(), None);
    assert_eq!(view.consents().lookup(kept.pk).await.unwrap(), Some(kept.clone()));
    drop(view);
    let mut tx = pair.write().await;
    let longer = NewConsent { permissions: "email".into(), expires: Some(at(90)), ..consent(ada.pk, 1) };
    let again = tx.consents().put(&longer).await.unwrap();
    tx.save().await.unwrap();
    assert_eq!((again.pk, again.permissions.as_str(), again.expires), (kept.pk, "email", Some(at(90))));
    assert_eq!(pair.read().await.consents().find(ada.pk, id(1), at(89)).await.unwrap(), Some(again));
    let nobody = pair.write().await.consents().put(&consent(999, 1)).await;
    assert!(matches!(nobody, Err(StoreError::Missing(_))), "{nobody:?}");
}

/// Lists come in order, in parts, filtered.
pub async fn lists(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    let mut keys = Vec::new();
    for (user, application, expires) in [(ada.pk, 1, Some(at(60))), (bob.pk, 1, None), (ada.pk, 2, Some(at(50)))] {
        keys.push(tx.consents().put(&NewConsent { expires, ..consent(user, application) }).await.unwrap().pk);
    }
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    let all = ConsentFilter::default;
    let named = |search: &str| Word::all(search, [(id(1), "Wiki"), (id(2), "Mail")].into_iter());
    for (filter, page, expected) in [
        (all(), Page::ALL, &[0, 1, 2][..]),
        (all(), Page { offset: 1, limit: 1 }, &[1]),
        (ConsentFilter { user: Some(ada.pk), ..all() }, Page::ALL, &[0, 2]),
        (ConsentFilter { application: Some(id(1)), ..all() }, Page::ALL, &[0, 1]),
        (ConsentFilter { user: Some(bob.pk), application: Some(id(2)), ..all() }, Page::ALL, &[]),
        (ConsentFilter { search: named("wIk"), ..all() }, Page::ALL, &[0, 1]),
        (ConsentFilter { search: named("AD i"), ..all() }, Page::ALL, &[0, 2]),
        (ConsentFilter { search: named("bob mail"), ..all() }, Page::ALL, &[]),
        (ConsentFilter { search: named("%"), ..all() }, Page::ALL, &[]),
        (ConsentFilter { order: vec![By::up(ConsentOrder::Expires)], ..all() }, Page::ALL, &[2, 0, 1]),
        (
            ConsentFilter { order: vec![By::down(ConsentOrder::Application), By::down(ConsentOrder::User)], ..all() },
            Page::ALL,
            &[2, 1, 0],
        ),
        (
            ConsentFilter { order: vec![By::up(ConsentOrder::Permissions), By::down(ConsentOrder::Pk)], ..all() },
            Page::first(2),
            &[2, 1],
        ),
    ] {
        let expected: Vec<i64> = expected.iter().map(|at: &usize| keys[*at]).collect();
        let found = view.consents().list(&filter, page).await.unwrap();
        assert_eq!(found.iter().map(|consent| consent.pk).collect::<Vec<_>>(), expected, "{filter:?}");
        if page == Page::ALL {
            assert_eq!(view.consents().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        }
    }
}

/// What was agreed to for an application is forgotten with it.
pub async fn forgetting(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    for (user, application) in [(ada.pk, 1), (bob.pk, 1), (ada.pk, 2), (ada.pk, 3)] {
        tx.consents().put(&consent(user, application)).await.unwrap();
    }
    tx.consents().forget(&[]).await.unwrap();
    tx.consents().forget(&[id(1), id(3), id(9)]).await.unwrap();
    tx.save().await.unwrap();
    let left = pair.read().await.consents().list(&ConsentFilter::default(), Page::ALL).await.unwrap();
    assert_eq!(left.iter().map(|consent| consent.application).collect::<Vec<_>>(), [id(2)]);
}

/// A consent is taken back, ends, or goes with its account; its key is not used again.
pub async fn deletion(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    let first = tx.consents().put(&consent(ada.pk, 1)).await.unwrap();
    tx.consents().put(&NewConsent { expires: None, ..consent(ada.pk, 2) }).await.unwrap();
    let last = tx.consents().put(&consent(bob.pk, 1)).await.unwrap();
    assert!(tx.consents().delete(last.pk).await.unwrap());
    assert!(!tx.consents().delete(last.pk).await.unwrap());
    let new = tx.consents().put(&consent(bob.pk, 1)).await.unwrap();
    assert!(new.pk > last.pk);
    assert_eq!(tx.consents().delete_expired(at(59)).await.unwrap(), 0);
    assert_eq!(tx.consents().delete_expired(at(60)).await.unwrap(), 2);
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.consents().lookup(first.pk).await.unwrap(), None);
    assert_eq!(view.consents().count(&ConsentFilter::default()).await.unwrap(), 1);
    drop(view);
    let mut tx = pair.write().await;
    assert!(tx.users().delete(ada.pk).await.unwrap());
    tx.save().await.unwrap();
    assert_eq!(pair.read().await.consents().count(&ConsentFilter::default()).await.unwrap(), 0);
}
