//! The passwords that accounts had.

use super::{Pair, at};
use crate::error::StoreError;

/// The last ones are kept, the newest first, of each account on its own.
pub async fn the_last_are_kept(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    for (n, hash) in (0..).zip(["one", "two", "three", "four"]) {
        // The clock says nothing about the order.
        tx.password_histories().add(ada.pk, hash, at(9 - n)).await.unwrap();
        tx.password_histories().add(bob.pk, hash, at(n)).await.unwrap();
    }
    assert_eq!(tx.password_histories().trim(ada.pk, 3).await.unwrap(), 1);
    assert_eq!(tx.password_histories().trim(ada.pk, 3).await.unwrap(), 0);
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.password_histories().last(ada.pk, 9).await.unwrap(), ["four", "three", "two"]);
    assert_eq!(view.password_histories().last(ada.pk, 2).await.unwrap(), ["four", "three"]);
    assert_eq!(view.password_histories().last(bob.pk, 9).await.unwrap(), ["four", "three", "two", "one"]);
    assert_eq!(view.password_histories().last(bob.pk, 0).await.unwrap(), [""; 0]);
    drop(view);
    let nobody = pair.write().await.password_histories().add(999, "x", at(0)).await;
    assert!(matches!(nobody, Err(StoreError::Missing(_))), "{nobody:?}");
}

/// They are forgotten with their account, and on request; accounts that have too many are found.
pub async fn forgetting(pair: Pair) {
    let users = pair.users(["ada", "bob", "eve", "kim"]).await;
    let [ada, bob, eve, kim] = &users;
    let mut tx = pair.write().await;
    for (user, hashes) in [(kim, 3), (eve, 2), (bob, 2), (ada, 1)] {
        for n in 0..hashes {
            tx.password_histories().add(user.pk, "hash", at(n)).await.unwrap();
        }
    }
    tx.save().await.unwrap();
    for (kept, over) in [(0, &[ada, bob, eve, kim][..]), (1, &[bob, eve, kim]), (2, &[kim]), (3, &[]), (u32::MAX, &[])] {
        let found = pair.read().await.password_histories().over(kept).await.unwrap();
        assert_eq!(found, over.iter().map(|user| user.pk).collect::<Vec<_>>(), "{kept}");
    }
    let mut tx = pair.write().await;
    assert_eq!(tx.password_histories().trim(kim.pk, 0).await.unwrap(), 3);
    assert_eq!(tx.password_histories().trim(999, 0).await.unwrap(), 0);
    assert!(tx.users().delete(bob.pk).await.unwrap());
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    for (user, left) in [(ada, 1), (bob, 0), (eve, 2), (kim, 0)] {
        assert_eq!(view.password_histories().last(user.pk, 9).await.unwrap().len(), left);
    }
    assert_eq!(view.password_histories().over(0).await.unwrap(), [ada.pk, eve.pk]);
}
