//! Accounts.

use serde_json::{Value, json};

use super::{Pair, at, hash, id, map, names, new_user};
use crate::error::StoreError;
use crate::records::{
    AttributeIs, By, Group, Moments, NewUser, Page, SessionFilter, TokenFilter, User, UserField, UserFilter, UserOrder, UserType,
};

/// What does not exist is nothing, not an error.
pub async fn absent(pair: Pair) {
    let mut view = pair.read().await;
    let users = view.users();
    assert_eq!(users.lookup(1).await.unwrap(), None);
    assert!(users.lookup_many(&[1, 2]).await.unwrap().is_empty());
    assert_eq!(users.find_by_uuid(id(1)).await.unwrap(), None);
    assert_eq!(users.find_by_username("nobody").await.unwrap(), None);
    assert!(users.find_by_field(UserField::Email, "nobody@example.com", true).await.unwrap().is_empty());
    assert!(users.list(&UserFilter::default(), Page::ALL).await.unwrap().is_empty());
    assert_eq!(users.count(&UserFilter::default()).await.unwrap(), 0);
    drop(view);
    let mut tx = pair.write().await;
    assert!(!tx.users().delete(1).await.unwrap());
    assert!(!tx.users().upgrade_password(1, "a", "b").await.unwrap());
}

/// A new account has all that was given, and is found by each of its keys.
pub async fn add_and_find(pair: Pair) {
    let new = NewUser {
        name: "Zoë 'Z' \"Q\"\n".into(),
        email: "zoe@example.com".into(),
        is_active: false,
        r#type: UserType::ServiceAccount,
        path: "users/staff".into(),
        attributes: map(json!({"upn": "zoe@corp", "n": [1, 2.5, null, {"ü": true}]})),
        password: Some("$argon2id$…".into()),
        ..new_user("zoe")
    };
    let mut tx = pair.write().await;
    let added = tx.users().add(new.clone(), at(3)).await.unwrap();
    tx.users().add(new_user("other"), at(4)).await.unwrap();
    tx.save().await.unwrap();
    assert_eq!((added.uuid, added.username.as_str(), added.name.as_str()), (new.uuid, "zoe", new.name.as_str()));
    assert_eq!((added.email.as_str(), added.is_active, added.r#type), ("zoe@example.com", false, UserType::ServiceAccount));
    assert_eq!((added.path.as_str(), &added.attributes, &added.password), ("users/staff", &new.attributes, &new.password));
    assert_eq!((added.date_joined, added.password_change_date, added.last_updated), (at(3), at(3), at(3)));
    assert_eq!(added.last_login, None);

    let mut view = pair.read().await;
    let users = view.users();
    assert_eq!(users.lookup(added.pk).await.unwrap().as_ref(), Some(&added));
    assert_eq!(users.find_by_uuid(added.uuid).await.unwrap().as_ref(), Some(&added));
    assert_eq!(users.find_by_username("zoe").await.unwrap().as_ref(), Some(&added));
    assert_eq!(users.find_by_username("Zoe").await.unwrap(), None);
    let many = users.lookup_many(&[added.pk, added.pk, 999]).await.unwrap();
    assert_eq!(many.into_iter().collect::<Vec<_>>(), [(added.pk, added)]);
}

/// An update keeps everything but what has methods of its own.
pub async fn update(pair: Pair) {
    let [ada, _] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    tx.users().set_password(ada.pk, Some("hash"), at(1)).await.unwrap();
    tx.users().touch_login(ada.pk, at(2)).await.unwrap();
    tx.save().await.unwrap();

    let mut changed = ada.clone();
    changed.uuid = id(77);
    changed.username = "ada2".into();
    changed.name = "Ada".into();
    changed.email = "ada@example.com".into();
    changed.is_active = false;
    changed.r#type = UserType::External;
    changed.path = "elsewhere".into();
    changed.attributes = map(json!({"upn": "ada@corp"}));
    let mut tx = pair.write().await;
    tx.users().update(&changed, at(5)).await.unwrap();
    tx.save().await.unwrap();

    let mut view = pair.read().await;
    let users = view.users();
    changed.password = Some("hash".into());
    changed.password_change_date = at(1);
    changed.last_login = Some(at(2));
    changed.last_updated = at(5);
    assert_eq!(users.lookup(ada.pk).await.unwrap().as_ref(), Some(&changed));
    assert_eq!(users.find_by_username("ada").await.unwrap(), None);
    assert_eq!(users.find_by_uuid(ada.uuid).await.unwrap(), None);
    assert_eq!(users.find_by_username("ada2").await.unwrap(), Some(changed.clone()));
    assert_eq!(users.find_by_field(UserField::Upn, "ADA@corp", true).await.unwrap(), [changed.clone()]);
    drop(view);

    changed.pk = 999;
    changed.username = "nobody".into();
    let error = pair.write().await.users().update(&changed, at(5)).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("user")), "{error}");
}

/// Passwords are set, taken away, and made stronger only where they still are what was verified.
pub async fn passwords(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let mut tx = pair.write().await;
    let users = tx.users();
    users.set_password(ada.pk, Some("old"), at(1)).await.unwrap();
    assert!(!users.upgrade_password(ada.pk, "other", "new").await.unwrap());
    assert!(users.upgrade_password(ada.pk, "old", "new").await.unwrap());
    let stored = users.lookup(ada.pk).await.unwrap().unwrap();
    assert_eq!((stored.password.as_deref(), stored.password_change_date), (Some("new"), at(1)));
    users.set_password(ada.pk, None, at(2)).await.unwrap();
    assert!(!users.upgrade_password(ada.pk, "new", "newer").await.unwrap());
    let stored = users.lookup(ada.pk).await.unwrap().unwrap();
    assert_eq!((stored.password, stored.password_change_date, stored.last_login), (None, at(2), None));
    drop(tx);

    let error = pair.write().await.users().set_password(999, None, at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("user")), "{error}");
    let error = pair.write().await.users().touch_login(999, at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("user")), "{error}");
}

/// No two accounts have one name or UUID, and names have 1 to 150 characters.
pub async fn names_are_unique(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let error = pair.write().await.users().add(NewUser::internal(id(9), "ada"), at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("username")), "{error}");
    let error = pair.write().await.users().add(NewUser::internal(ada.uuid, "eve"), at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("uuid")), "{error}");
    let mut renamed = bob.clone();
    renamed.username = "ada".into();
    let error = pair.write().await.users().update(&renamed, at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("username")), "{error}");
    let mut renamed = bob.clone();
    renamed.uuid = ada.uuid;
    let error = pair.write().await.users().update(&renamed, at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("uuid")), "{error}");
    for bad in [String::new(), "ü".repeat(151)] {
        let error = pair.write().await.users().add(NewUser::internal(id(9), bad), at(0)).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid(_)), "{error}");
    }

    let mut tx = pair.write().await;
    tx.users().add(NewUser::internal(id(9), "Ada"), at(0)).await.unwrap();
    tx.users().add(NewUser::internal(id(10), "ü".repeat(150)), at(0)).await.unwrap();
    tx.users().update(&bob, at(1)).await.unwrap();
    assert!(tx.users().delete(ada.pk).await.unwrap());
    tx.users().add(new_user("ada"), at(0)).await.unwrap();
    tx.save().await.unwrap();
}

/// The key of a deleted account is never given to another one.
pub async fn keys_are_never_used_again(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    assert!(ada.pk < bob.pk);
    let mut tx = pair.write().await;
    assert!(tx.users().delete(bob.pk).await.unwrap());
    assert!(tx.users().delete(ada.pk).await.unwrap());
    tx.save().await.unwrap();
    let [eve] = pair.users(["eve"]).await;
    assert!(eve.pk > bob.pk, "{} is not above {}", eve.pk, bob.pk);
}

/// Finding by a field compares letters as they are, or without regard to case in every script.
pub async fn fields_and_case(pair: Pair) {
    let mut tx = pair.write().await;
    let person = |name: &str, email: &str, upn: serde_json::Value| NewUser {
        email: email.into(),
        attributes: map(json!({ "upn": upn })),
        ..new_user(name)
    };
    tx.users().add(person("Jürgen", "JÜRGEN@Example.com", json!("j@corp")), at(0)).await.unwrap();
    tx.users().add(person("jÜRGEN", "jürgen@example.com", json!("J@CORP")), at(0)).await.unwrap();
    tx.users().add(person("JÜRGEN", "", json!("")), at(0)).await.unwrap();
    tx.users().add(person("ΟΔΥΣΣΕΥΣ", "", json!(7)), at(0)).await.unwrap();
    tx.save().await.unwrap();

    let mut view = pair.read().await;
    let users = view.users();
    for (field, value, fold_case, expected) in [
        (UserField::Username, "jürgen", false, &[][..]),
        (UserField::Username, "jÜRGEN", false, &["jÜRGEN"]),
        (UserField::Username, "jürgen", true, &["Jürgen", "jÜRGEN"]),
        (UserField::Username, "οδυσσευς", true, &["ΟΔΥΣΣΕΥΣ"]),
        (UserField::Email, "jürgen@example.com", false, &["jÜRGEN"]),
        (UserField::Email, "Jürgen@EXAMPLE.com", true, &["Jürgen", "jÜRGEN"]),
        (UserField::Email, "", true, &[]),
        (UserField::Email, "", false, &[]),
        (UserField::Upn, "j@corp", false, &["Jürgen"]),
        (UserField::Upn, "j@Corp", true, &["Jürgen", "jÜRGEN"]),
        (UserField::Upn, "", true, &[]),
        (UserField::Upn, "7", true, &[]),
        (UserField::Email, "%", true, &[]),
    ] {
        let found = users.find_by_field(field, value, fold_case).await.unwrap();
        assert_eq!(names(&found), expected, "{field:?} {value:?} {fold_case}");
    }
}

/// Every condition lets one of two accounts through.
pub async fn filters(pair: Pair) {
    let [mut ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    ada.name = "Äda Lovelace".into();
    ada.email = "countess@example.com".into();
    ada.is_active = false;
    ada.r#type = UserType::External;
    ada.path = "users/staff".into();
    let deep = json!({ "or 1=1 --": { "ü": "x'y" } });
    ada.attributes = map(json!({ "n": 1, "deep": deep, "list": [1, "two"], "yes": true, "nothing": null, "7": "seven" }));
    tx.users().update(&ada, at(1)).await.unwrap();
    tx.users().touch_login(ada.pk, at(2)).await.unwrap();
    let above = Group { is_superuser: true, ..Group::named(id(2), "above", at(0)) };
    tx.groups().add(&above).await.unwrap();
    let group = Group { parents: vec![above.pk], ..Group::named(id(1), "g", at(0)) };
    tx.groups().add(&group).await.unwrap();
    tx.groups().add_member(group.pk, ada.pk).await.unwrap();
    tx.save().await.unwrap();

    let mut view = pair.read().await;
    let all = UserFilter::default;
    let path = |path: &str| UserFilter { path: Some(path.into()), ..all() };
    let prefix = |path: &str| UserFilter { path_prefix: Some(path.into()), ..all() };
    let none = Moments::default();
    let is = |path: &[&str], value: Value| {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        UserFilter { attributes: vec![AttributeIs { path, value }], ..all() }
    };
    let search = |part: &str| UserFilter { search: Some(part.into()), ..all() };
    for (filter, expected) in [
        (all(), &["ada", "bob"][..]),
        (search("äDA l"), &["ada"]),
        (search("COUNT"), &["ada"]),
        (search("B"), &["bob"]),
        (search(""), &["ada", "bob"]),
        (UserFilter { username: Some("ada".into()), ..all() }, &["ada"]),
        (UserFilter { username: Some("ADA".into()), ..all() }, &[]),
        (UserFilter { is_active: Some(false), ..all() }, &["ada"]),
        (UserFilter { is_active: Some(true), ..all() }, &["bob"]),
        (UserFilter { types: vec![UserType::External], ..all() }, &["ada"]),
        (UserFilter { types: vec![UserType::External, UserType::Internal], ..all() }, &["ada", "bob"]),
        (search("lovelace ada"), &["ada"]),
        (search("lovelace bob"), &[]),
        (path("users"), &["bob"]),
        (path("users/staff"), &["ada"]),
        (path("USERS"), &[]),
        (path("users/sta"), &[]),
        (prefix("users"), &["ada", "bob"]),
        (prefix("USERS"), &[]),
        (prefix("users/sta"), &["ada"]),
        (prefix("users_"), &[]),
        (prefix(""), &["ada", "bob"]),
        (UserFilter { name: Some("Äda Lovelace".into()), ..all() }, &["ada"]),
        (UserFilter { email: Some("countess@example.com".into()), ..all() }, &["ada"]),
        (UserFilter { email: Some("Countess@example.com".into()), ..all() }, &[]),
        (UserFilter { uuid: Some(ada.uuid), ..all() }, &["ada"]),
        (UserFilter { is_superuser: Some(true), ..all() }, &["ada"]),
        (UserFilter { is_superuser: Some(false), ..all() }, &["bob"]),
        (UserFilter { groups: vec![vec![group.pk]], ..all() }, &["ada"]),
        (UserFilter { groups: vec![vec![id(9), group.pk]], ..all() }, &["ada"]),
        (UserFilter { groups: vec![vec![id(9)]], ..all() }, &[]),
        (UserFilter { groups: vec![vec![group.pk], vec![id(9)]], ..all() }, &[]),
        (UserFilter { groups: vec![vec![group.pk]], is_active: Some(true), ..all() }, &[]),
        (UserFilter { has_signed_in: Some(true), ..all() }, &["ada"]),
        (UserFilter { has_signed_in: Some(false), ..all() }, &["bob"]),
        (UserFilter { last_login: Moments { at: Some(at(2)), ..none }, ..all() }, &["ada"]),
        (UserFilter { last_login: Moments { after: Some(at(2)), ..none }, ..all() }, &[]),
        (UserFilter { last_login: Moments { before: Some(at(3)), ..none }, ..all() }, &["ada"]),
        (UserFilter { last_updated: Moments { after: Some(at(0)), ..none }, ..all() }, &["ada"]),
        (UserFilter { last_updated: Moments { before: Some(at(1)), ..none }, ..all() }, &["bob"]),
        (UserFilter { date_joined: Moments { at: Some(at(0)), ..none }, ..all() }, &["ada", "bob"]),
        (UserFilter { date_joined: Moments { after: Some(at(0)), ..none }, ..all() }, &[]),
        (is(&["n"], json!(1)), &["ada"]),
        (is(&["n"], json!("1")), &[]),
        (is(&["deep", "or 1=1 --", "ü"], json!("x'y")), &["ada"]),
        (is(&["deep", "or 1=1 --"], json!({ "ü": "x'y" })), &["ada"]),
        (is(&["deep", "ü"], json!("x'y")), &[]),
        (is(&["list"], json!([1, "two"])), &["ada"]),
        (is(&["list", "0"], json!(1)), &[]),
        (is(&["yes"], json!(true)), &["ada"]),
        (is(&["nothing"], json!(null)), &["ada"]),
        (is(&["7"], json!("seven")), &["ada"]),
        (is(&["absent"], json!(null)), &[]),
        (is(&["$.n"], json!(1)), &[]),
        (is(&["list", "[0]"], json!(1)), &[]),
    ] {
        let found = view.users().list(&filter, Page::ALL).await.unwrap();
        assert_eq!(names(&found), expected, "{filter:?}");
        assert_eq!(view.users().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
    }
    let superusers = view.users().superusers(&[ada.pk, bob.pk, 999]).await.unwrap();
    assert_eq!(superusers.into_iter().collect::<Vec<_>>(), [ada.pk]);
    assert_eq!(view.users().paths().await.unwrap(), ["users", "users/staff"]);
    let direct = view.groups().of_users(&[bob.pk, ada.pk]).await.unwrap();
    assert_eq!(direct.iter().map(|(user, group)| (*user, group.pk)).collect::<Vec<_>>(), [(ada.pk, group.pk)]);
}

/// Every order has its reverse, and what is absent comes last.
pub async fn orders(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    let ada = User { name: "z".into(), email: "z".into(), path: "z".into(), is_active: false, ..ada };
    let bob = User { r#type: UserType::External, name: "a".into(), ..bob };
    tx.users().update(&ada, at(2)).await.unwrap();
    tx.users().update(&bob, at(1)).await.unwrap();
    tx.users().touch_login(ada.pk, at(5)).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    for (field, first) in [
        (UserOrder::Pk, "ada"),
        (UserOrder::Username, "ada"),
        (UserOrder::Name, "bob"),
        (UserOrder::Email, "bob"),
        (UserOrder::IsActive, "ada"),
        (UserOrder::Type, "bob"),
        (UserOrder::Path, "bob"),
        (UserOrder::LastLogin, "ada"),
        (UserOrder::LastUpdated, "bob"),
        (UserOrder::Uuid, if ada.uuid < bob.uuid { "ada" } else { "bob" }),
    ] {
        let other = if first == "ada" { "bob" } else { "ada" };
        for (by, wanted) in [(By::up(field), [first, other]), (By::down(field), [other, first])] {
            let filter = UserFilter { order: vec![by], ..UserFilter::default() };
            assert_eq!(names(&view.users().list(&filter, Page::ALL).await.unwrap()), wanted, "{by:?}");
        }
    }
    let order = vec![By::down(UserOrder::DateJoined), By::down(UserOrder::Username)];
    let filter = UserFilter { order, ..UserFilter::default() };
    assert_eq!(names(&view.users().list(&filter, Page::ALL).await.unwrap()), ["bob", "ada"]);
}

/// What a pattern language would take for a wildcard is a letter like any other.
pub async fn wildcards_are_letters(pair: Pair) {
    pair.users(["100%", "a_b", r"c\d", "plain"]).await;
    let mut view = pair.read().await;
    for (part, expected) in [("%", "100%"), ("_", "a_b"), (r"\", r"c\d"), ("0%", "100%"), ("a_", "a_b")] {
        let filter = UserFilter { search: Some(part.into()), ..UserFilter::default() };
        assert_eq!(names(&view.users().list(&filter, Page::ALL).await.unwrap()), [expected], "{part}");
    }
}

/// A list comes by key, in parts.
pub async fn pages(pair: Pair) {
    pair.users(["e", "d", "c", "b", "a"]).await;
    let mut view = pair.read().await;
    let all = UserFilter::default();
    assert_eq!(names(&view.users().list(&all, Page::first(2)).await.unwrap()), ["e", "d"]);
    assert_eq!(names(&view.users().list(&all, Page { offset: 3, limit: 5 }).await.unwrap()), ["b", "a"]);
    assert!(view.users().list(&all, Page { offset: 9, limit: 5 }).await.unwrap().is_empty());
    assert!(view.users().list(&all, Page::first(0)).await.unwrap().is_empty());
    assert_eq!(view.users().list(&all, Page { offset: u64::MAX, limit: u64::MAX }).await.unwrap().len(), 0);
    assert_eq!(view.users().count(&all).await.unwrap(), 5);
}

/// With an account go its memberships, sessions and tokens, and nobody else's.
pub async fn deletion_cascades(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let mut tx = pair.write().await;
    tx.groups().add(&Group::named(id(1), "g", at(0))).await.unwrap();
    for (n, user) in [(1, &ada), (2, &bob)] {
        tx.groups().add_member(id(1), user.pk).await.unwrap();
        tx.sessions().add(&super::sessions::session(n, Some(user.pk))).await.unwrap();
        tx.tokens().add(&super::tokens::token(n, user.pk)).await.unwrap();
    }
    tx.sessions().add(&super::sessions::session(3, None)).await.unwrap();
    tx.save().await.unwrap();
    let mut tx = pair.write().await;
    assert!(tx.users().delete(ada.pk).await.unwrap());
    assert!(!tx.users().delete(ada.pk).await.unwrap());
    tx.save().await.unwrap();

    let mut view = pair.read().await;
    assert_eq!(names(&view.groups().members(id(1), Page::ALL).await.unwrap()), ["bob"]);
    assert!(view.groups().of_user(ada.pk, true).await.unwrap().is_empty());
    assert_eq!(view.sessions().lookup(&hash(1), at(0)).await.unwrap(), None);
    assert_eq!(view.sessions().count(&SessionFilter::default()).await.unwrap(), 2);
    assert_eq!(view.tokens().find_by_hash(&hash(1), at(0)).await.unwrap(), None);
    assert_eq!(view.tokens().count(&TokenFilter::default()).await.unwrap(), 1);
}
