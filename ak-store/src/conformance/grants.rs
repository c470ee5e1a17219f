//! What clients were given.

use serde_json::json;

use super::{Pair, at, hash, id};
use crate::error::StoreError;
use crate::records::{By, Grant, GrantFilter, GrantKind, GrantOrder, Page, Word};

/// A grant that ends at minute 60.
fn grant(n: u8, user: i64) -> Grant {
    Grant {
        pk: 0,
        kind: GrantKind::Access,
        key_hash: hash(n),
        provider: id(1),
        user,
        session: Some(hash(100)),
        family: id(7),
        scope: "openid ü".into(),
        data: json!({ "n": n }),
        since: at(0),
        created: at(1),
        expires: at(60),
        ended: None,
    }
}

/// A grant is what was given, found by key and by hash, valid or not.
pub async fn add_and_find(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let mut tx = pair.write().await;
    let pk = tx.grants().add(&grant(1, ada.pk)).await.unwrap();
    let bare = Grant { kind: GrantKind::Code, session: None, ended: Some(at(5)), ..grant(2, ada.pk) };
    let other = tx.grants().add(&bare).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    let found = view.grants().lookup(pk).await.unwrap().unwrap();
    assert_eq!(found, Grant { pk, ..grant(1, ada.pk) });
    assert!(found.is_valid(at(59)) && !found.is_valid(at(60)));
    let found = view.grants().find_by_hash(&hash(2)).await.unwrap().unwrap();
    assert_eq!(found, Grant { pk: other, ..bare });
    assert!(!found.is_valid(at(1)));
    assert_eq!(view.grants().find_by_hash(&hash(9)).await.unwrap(), None);
    assert_eq!(view.grants().lookup(999).await.unwrap(), None);
    drop(view);
    let taken = pair.write().await.grants().add(&grant(1, ada.pk)).await;
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    let nobody = pair.write().await.grants().add(&grant(3, 999)).await;
    assert!(matches!(nobody, Err(StoreError::Missing(_))), "{nobody:?}");
}

/// Lists come in order, in parts, filtered.
pub async fn lists(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    let mut keys = Vec::new();
    for grant in [
        grant(1, ada.pk),
        Grant { kind: GrantKind::Refresh, ended: Some(at(3)), ..grant(2, ada.pk) },
        Grant { provider: id(2), scope: "email".into(), expires: at(50), ..grant(3, bob.pk) },
    ] {
        keys.push(tx.grants().add(&grant).await.unwrap());
    }
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    let all = GrantFilter::default;
    let named = |search: &str| Word::all(search, [(id(1), "Wiki"), (id(2), "Mail")].into_iter());
    for (filter, page, expected) in [
        (all(), Page::ALL, &[0, 1, 2][..]),
        (all(), Page { offset: 1, limit: 1 }, &[1]),
        (GrantFilter { kind: Some(GrantKind::Access), ..all() }, Page::ALL, &[0, 2]),
        (GrantFilter { user: Some(ada.pk), ..all() }, Page::ALL, &[0, 1]),
        (GrantFilter { provider: Some(id(2)), ..all() }, Page::ALL, &[2]),
        (GrantFilter { provider: Some(id(2)), user: Some(ada.pk), ..all() }, Page::ALL, &[]),
        (GrantFilter { search: named("WIKI"), ..all() }, Page::ALL, &[0, 1]),
        (GrantFilter { search: named("b il"), ..all() }, Page::ALL, &[2]),
        (GrantFilter { search: named("ada mail"), ..all() }, Page::ALL, &[]),
        (GrantFilter { order: vec![By::up(GrantOrder::Expires)], ..all() }, Page::ALL, &[2, 0, 1]),
        (GrantFilter { order: vec![By::down(GrantOrder::Provider), By::down(GrantOrder::Pk)], ..all() }, Page::ALL, &[2, 1, 0]),
        (GrantFilter { order: vec![By::up(GrantOrder::Revoked), By::up(GrantOrder::Scope)], ..all() }, Page::ALL, &[2, 0, 1]),
        (GrantFilter { order: vec![By::down(GrantOrder::Revoked)], ..all() }, Page::ALL, &[1, 0, 2]),
        (GrantFilter { order: vec![By::down(GrantOrder::User)], ..all() }, Page::first(1), &[2]),
    ] {
        let expected: Vec<i64> = expected.iter().map(|at: &usize| keys[*at]).collect();
        let found = view.grants().list(&filter, page).await.unwrap();
        assert_eq!(found.iter().map(|grant| grant.pk).collect::<Vec<_>>(), expected, "{filter:?}");
        if page == Page::ALL {
            assert_eq!(view.grants().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        }
    }
}

/// What a provider gave is forgotten with it.
pub async fn forgetting(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let mut tx = pair.write().await;
    for n in 1..=4 {
        tx.grants().add(&Grant { provider: id(n.into()), ..grant(n, ada.pk) }).await.unwrap();
    }
    tx.grants().forget(&[]).await.unwrap();
    tx.grants().forget(&[id(1), id(3), id(9)]).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    let left = view.grants().list(&GrantFilter::default(), Page::ALL).await.unwrap();
    assert_eq!(left.iter().map(|grant| grant.provider).collect::<Vec<_>>(), [id(2), id(4)]);
    assert_eq!(view.grants().find_by_hash(&hash(1)).await.unwrap(), None);
}

/// A grant ends once, alone or with its family, and goes on in the session that takes the place of its own.
pub async fn ending(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let mut tx = pair.write().await;
    let one = tx.grants().add(&grant(1, ada.pk)).await.unwrap();
    let two = tx.grants().add(&grant(2, ada.pk)).await.unwrap();
    let other = tx.grants().add(&Grant { family: id(8), session: Some(hash(101)), ..grant(3, ada.pk) }).await.unwrap();
    let ended = tx.grants().end(one, at(2)).await.unwrap();
    assert_eq!(ended, Some(Grant { pk: one, ended: Some(at(2)), ..grant(1, ada.pk) }));
    assert_eq!(tx.grants().end(one, at(3)).await.unwrap(), None);
    assert_eq!(tx.grants().end_family(id(7), at(4)).await.unwrap(), 1);
    assert_eq!(tx.grants().move_session(&hash(101), &hash(102)).await.unwrap(), 1);
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.grants().lookup(one).await.unwrap().unwrap().ended, Some(at(2)));
    assert_eq!(view.grants().lookup(two).await.unwrap().unwrap().ended, Some(at(4)));
    let other = view.grants().lookup(other).await.unwrap().unwrap();
    assert_eq!((other.ended, other.session), (None, Some(hash(102))));
}

/// Of many who end a grant at once, one is told that it had not ended.
pub async fn ending_has_one_winner(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let mut tx = pair.write().await;
    let pk = tx.grants().add(&grant(1, ada.pk)).await.unwrap();
    tx.save().await.unwrap();
    let mut tries = Vec::new();
    for n in 0..8 {
        let backend = if n % 2 == 0 { pair.one.clone() } else { pair.two.clone() };
        tries.push(tokio::spawn(async move {
            let mut tx = backend.begin(crate::records::Durability::Full).await.unwrap();
            let won = tx.grants().end(pk, at(2)).await.unwrap().is_some();
            tx.save().await.unwrap();
            won
        }));
    }
    let mut winners = 0;
    for outcome in tries {
        winners += u32::from(outcome.await.unwrap());
    }
    assert_eq!(winners, 1);
}

/// Who ends a family waits for who is giving something of it, and ends that too.
pub async fn a_family_has_one_turn(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    // By the other handle, so that it has its connection already.
    let mut tx = pair.two.begin(crate::records::Durability::Full).await.unwrap();
    let old = tx.grants().add(&grant(1, ada.pk)).await.unwrap();
    tx.save().await.unwrap();
    let mut giving = pair.write().await;
    giving.grants().lock_family(id(7)).await.unwrap();
    giving.grants().end(old, at(2)).await.unwrap();
    let two = pair.two.clone();
    let ending = tokio::spawn(async move {
        let mut tx = two.begin(crate::records::Durability::Full).await.unwrap();
        tx.grants().lock_family(id(7)).await.unwrap();
        let ended = tx.grants().end_family(id(7), at(3)).await.unwrap();
        tx.save().await.unwrap();
        ended
    });
    // Time for the other one to come as far as it can.
    for _ in 0..200 {
        giving.grants().lookup(old).await.unwrap();
        tokio::task::yield_now().await;
    }
    let new = giving.grants().add(&grant(2, ada.pk)).await.unwrap();
    giving.save().await.unwrap();
    assert_eq!(ending.await.unwrap(), 1);
    assert_eq!(pair.read().await.grants().lookup(new).await.unwrap().unwrap().ended, Some(at(3)));
}

/// A grant is removed, expires, or goes with its account; its key is not used again.
pub async fn deletion(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    tx.grants().add(&grant(1, ada.pk)).await.unwrap();
    tx.grants().add(&Grant { expires: at(90), ..grant(2, ada.pk) }).await.unwrap();
    let last = tx.grants().add(&grant(3, bob.pk)).await.unwrap();
    assert!(tx.grants().delete(last).await.unwrap());
    assert!(!tx.grants().delete(last).await.unwrap());
    assert!(tx.grants().add(&grant(3, bob.pk)).await.unwrap() > last);
    assert_eq!(tx.grants().delete_expired(at(59)).await.unwrap(), 0);
    assert_eq!(tx.grants().delete_expired(at(60)).await.unwrap(), 2);
    assert!(tx.users().delete(ada.pk).await.unwrap());
    tx.save().await.unwrap();
    assert_eq!(pair.read().await.grants().count(&GrantFilter::default()).await.unwrap(), 0);
}
