//! Who has which role.

use super::{Pair, at, id};
use crate::error::StoreError;
use crate::records::{Group, Page, UserFilter};

/// A role is given and taken, once, to accounts and to groups.
pub async fn given_and_taken(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    tx.groups().add(&Group::named(id(7), "g", at(0))).await.unwrap();
    for role in [id(1), id(1), id(2)] {
        tx.roles().add_user(role, ada.pk).await.unwrap();
        tx.roles().add_group(role, id(7)).await.unwrap();
    }
    tx.roles().add_user(id(2), bob.pk).await.unwrap();
    tx.save().await.unwrap();

    let mut view = pair.read().await;
    let roles = view.roles();
    let of_ada = [(ada.pk, id(1)), (ada.pk, id(2))];
    assert_eq!(roles.of_users(&[ada.pk, 999]).await.unwrap().into_iter().collect::<Vec<_>>(), of_ada);
    assert_eq!(roles.of_users(&[ada.pk, bob.pk]).await.unwrap().len(), 3);
    let of_group = [(id(7), id(1)), (id(7), id(2))];
    assert_eq!(roles.of_groups(&[id(7), id(8)]).await.unwrap().into_iter().collect::<Vec<_>>(), of_group);
    let with = [(id(2), ada.pk), (id(2), bob.pk)];
    assert_eq!(roles.users_with(&[id(2)]).await.unwrap().into_iter().collect::<Vec<_>>(), with);
    assert_eq!(roles.groups_with(&[id(1), id(9)]).await.unwrap().into_iter().collect::<Vec<_>>(), [(id(1), id(7))]);
    for (role, names) in [(1, &["ada"][..]), (2, &["ada", "bob"]), (3, &[])] {
        let filter = UserFilter { roles: vec![vec![id(role)]], ..UserFilter::default() };
        assert_eq!(super::names(&view.users().list(&filter, Page::ALL).await.unwrap()), names, "{role}");
    }
    drop(view);

    let mut tx = pair.write().await;
    let roles = tx.roles();
    assert!(roles.remove_user(id(1), ada.pk).await.unwrap() && !roles.remove_user(id(1), ada.pk).await.unwrap());
    assert!(roles.remove_group(id(1), id(7)).await.unwrap() && !roles.remove_group(id(1), id(7)).await.unwrap());
    assert_eq!(roles.of_users(&[ada.pk]).await.unwrap().into_iter().collect::<Vec<_>>(), [(ada.pk, id(2))]);
}

/// Nobody who does not exist has a role.
pub async fn refusals(pair: Pair) {
    let error = pair.write().await.roles().add_user(id(1), 999).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("user")), "{error}");
    let error = pair.write().await.roles().add_group(id(1), id(9)).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("group")), "{error}");
}

/// A role is forgotten as a whole, and goes with who has it.
pub async fn deletion(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    tx.groups().add(&Group::named(id(7), "g", at(0))).await.unwrap();
    tx.groups().add(&Group::named(id(8), "h", at(0))).await.unwrap();
    for user in [ada.pk, bob.pk] {
        tx.roles().add_user(id(1), user).await.unwrap();
        tx.roles().add_user(id(2), user).await.unwrap();
    }
    for group in [id(7), id(8)] {
        tx.roles().add_group(id(1), group).await.unwrap();
        tx.roles().add_group(id(2), group).await.unwrap();
    }
    tx.save().await.unwrap();
    let mut tx = pair.write().await;
    tx.roles().forget(&[id(1)]).await.unwrap();
    assert!(tx.users().delete(ada.pk).await.unwrap() && tx.groups().delete(id(7)).await.unwrap());
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    let both = [id(1), id(2)];
    assert_eq!(view.roles().users_with(&both).await.unwrap().into_iter().collect::<Vec<_>>(), [(id(2), bob.pk)]);
    assert_eq!(view.roles().groups_with(&both).await.unwrap().into_iter().collect::<Vec<_>>(), [(id(2), id(8))]);
}
