//! Groups and memberships.

use serde_json::json;

use super::{Pair, at, id, map, names};
use crate::error::StoreError;
use crate::records::{By, Group, GroupFilter, GroupOrder, Page, UserKey};

/// A group with these parents; its key and its name follow from `n`.
fn group(n: u128, parents: &[u128]) -> Group {
    Group { parents: parents.iter().map(|n| id(*n)).collect(), ..Group::named(id(n), format!("g{n}"), at(0)) }
}

async fn add<const N: usize>(pair: &Pair, groups: [Group; N]) {
    let mut tx = pair.write().await;
    for group in &groups {
        tx.groups().add(group).await.unwrap();
    }
    tx.save().await.unwrap();
}

fn keys(groups: &[Group]) -> Vec<u128> {
    groups.iter().map(|group| group.pk.as_u128()).collect()
}

/// What does not exist is nothing, not an error.
pub async fn absent(pair: Pair) {
    let mut view = pair.read().await;
    let groups = view.groups();
    assert_eq!(groups.lookup(id(1)).await.unwrap(), None);
    assert!(groups.lookup_many(&[id(1)]).await.unwrap().is_empty());
    assert_eq!(groups.find_by_name("nothing").await.unwrap(), None);
    assert!(groups.list(&GroupFilter::default(), Page::ALL).await.unwrap().is_empty());
    assert!(groups.members(id(1), Page::ALL).await.unwrap().is_empty());
    assert!(groups.of_user(1, false).await.unwrap().is_empty());
    assert!(groups.of_user(1, true).await.unwrap().is_empty());
    drop(view);
    let mut tx = pair.write().await;
    assert!(!tx.groups().delete(id(1)).await.unwrap());
    assert!(!tx.groups().remove_member(id(1), 1).await.unwrap());
}

/// A new group has all that was given; its parents come by key.
pub async fn add_and_find(pair: Pair) {
    let attributes = map(json!({"gid": 100, "ü": ["x"]}));
    let child = Group { is_superuser: true, attributes, last_updated: at(9), ..group(3, &[2, 1, 2]) };
    add(&pair, [group(1, &[]), group(2, &[]), child.clone()]).await;
    let expected = Group { parents: vec![id(1), id(2)], ..child };
    let mut view = pair.read().await;
    let groups = view.groups();
    assert_eq!(groups.lookup(id(3)).await.unwrap().as_ref(), Some(&expected));
    assert_eq!(groups.find_by_name("g3").await.unwrap().as_ref(), Some(&expected));
    assert_eq!(groups.find_by_name("G3").await.unwrap(), None);
    let many = groups.lookup_many(&[id(3), id(1), id(9)]).await.unwrap();
    assert_eq!(many.into_iter().collect::<Vec<_>>(), [(id(1), group(1, &[])), (id(3), expected)]);
}

/// An update keeps everything, parents included.
pub async fn update(pair: Pair) {
    add(&pair, [group(1, &[]), group(2, &[]), group(3, &[1])]).await;
    let attributes = map(json!({"a": 1}));
    let mut changed = Group { name: "renamed".into(), is_superuser: true, attributes, ..group(3, &[2]) };
    let mut tx = pair.write().await;
    tx.groups().update(&changed, at(5)).await.unwrap();
    tx.save().await.unwrap();
    changed.last_updated = at(5);
    let mut view = pair.read().await;
    assert_eq!(view.groups().lookup(id(3)).await.unwrap(), Some(changed.clone()));
    assert_eq!(view.groups().find_by_name("g3").await.unwrap(), None);
    assert_eq!(view.groups().find_by_name("renamed").await.unwrap(), Some(changed));
}

/// What cannot be is refused.
pub async fn refusals(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    add(&pair, [group(1, &[]), group(2, &[])]).await;
    let error = pair.write().await.groups().add(&Group { pk: id(9), ..group(1, &[]) }).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("name")), "{error}");
    let error = pair.write().await.groups().add(&Group { name: "new".into(), ..group(1, &[]) }).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("pk")), "{error}");
    let error = pair.write().await.groups().add(&group(3, &[1, 9])).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("parent")), "{error}");
    let error = pair.write().await.groups().update(&group(2, &[9]), at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("parent")), "{error}");
    let error = pair.write().await.groups().update(&Group { name: "g1".into(), ..group(2, &[]) }, at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("name")), "{error}");
    let error = pair.write().await.groups().update(&group(9, &[]), at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("group")), "{error}");
    let error = pair.write().await.groups().add_member(id(9), ada.pk).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("group")), "{error}");
    let error = pair.write().await.groups().add_member(id(1), 999).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("user")), "{error}");
}

/// No group stands above itself, however long the way.
pub async fn cycles_are_refused(pair: Pair) {
    add(&pair, [group(1, &[]), group(2, &[1]), group(3, &[2]), group(4, &[2, 3])]).await;
    for bad in [group(1, &[1]), group(1, &[2]), group(1, &[4]), group(2, &[3])] {
        let error = pair.write().await.groups().update(&bad, at(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid(_)), "{error}");
    }
    let error = pair.write().await.groups().add(&group(5, &[5])).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid(_)), "{error}");
    let mut tx = pair.write().await;
    tx.groups().update(&group(3, &[1]), at(1)).await.unwrap();
    tx.save().await.unwrap();
}

/// Two groups that are put above each other at the same moment: one of them is refused.
pub async fn parents_at_the_same_moment(pair: Pair) {
    for round in 0..20_u128 {
        let [a, b] = [round * 2 + 1, round * 2 + 2];
        add(&pair, [group(a, &[]), group(b, &[])]).await;
        let above = async |backend: &std::sync::Arc<dyn crate::records::Backend>, changed: Group| {
            let mut tx = backend.begin(crate::records::Durability::Relaxed).await.unwrap();
            tx.groups().update(&changed, at(1)).await?;
            tx.save().await
        };
        let (one, two) = tokio::join!(above(&pair.one, group(a, &[b])), above(&pair.two, group(b, &[a])));
        let refused = [&one, &two].into_iter().filter(|done| matches!(done, Err(StoreError::Invalid(_)))).count();
        assert_eq!((refused, [one, two].into_iter().filter(Result::is_ok).count()), (1, 1));
    }
}

/// Lists come by name, in parts, filtered.
pub async fn lists(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let boss = Group { is_superuser: true, name: "Älteste_50%".into(), ..group(2, &[]) };
    add(&pair, [group(3, &[]), boss, group(1, &[2, 3])]).await;
    let mut tx = pair.write().await;
    tx.groups().add_member(id(1), ada.pk).await.unwrap();
    tx.save().await.unwrap();

    let mut view = pair.read().await;
    let all = GroupFilter::default;
    let search = |part: &str| GroupFilter { search: Some(part.into()), ..all() };
    for (filter, page, expected) in [
        (all(), Page::ALL, &[1, 3, 2][..]),
        (all(), Page { offset: 1, limit: 1 }, &[3]),
        (search("G"), Page::ALL, &[1, 3]),
        (search("äL"), Page::ALL, &[2]),
        (search("_5"), Page::ALL, &[2]),
        (search("%"), Page::ALL, &[2]),
        (GroupFilter { name: Some("g1".into()), ..all() }, Page::ALL, &[1]),
        (GroupFilter { name: Some("G1".into()), ..all() }, Page::ALL, &[]),
        (GroupFilter { is_superuser: Some(true), ..all() }, Page::ALL, &[2]),
        (GroupFilter { is_superuser: Some(false), ..all() }, Page::ALL, &[1, 3]),
        (GroupFilter { members: vec![vec![ada.pk, 999]], ..all() }, Page::ALL, &[1]),
        (GroupFilter { members: vec![vec![ada.pk], vec![999]], ..all() }, Page::ALL, &[]),
        (GroupFilter { order: vec![By::down(GroupOrder::Name)], ..all() }, Page::ALL, &[2, 3, 1]),
        (GroupFilter { order: vec![By::down(GroupOrder::IsSuperuser)], ..all() }, Page::ALL, &[2, 1, 3]),
        (GroupFilter { order: vec![By::down(GroupOrder::Pk)], ..all() }, Page::first(1), &[3]),
    ] {
        assert_eq!(keys(&view.groups().list(&filter, page).await.unwrap()), expected, "{filter:?}");
        if page == Page::ALL {
            assert_eq!(view.groups().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        }
    }
    let first = view.groups().list(&all(), Page::first(1)).await.unwrap();
    assert_eq!(first[0].parents, [id(2), id(3)]);
}

/// Memberships begin and end; beginning twice is once.
pub async fn memberships(pair: Pair) {
    let [ada, bob, eve] = pair.users(["ada", "bob", "eve"]).await;
    add(&pair, [group(1, &[]), group(2, &[])]).await;
    let mut tx = pair.write().await;
    for user in [&eve, &ada, &bob, &ada] {
        tx.groups().add_member(id(1), user.pk).await.unwrap();
    }
    tx.groups().add_member(id(2), ada.pk).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(names(&view.groups().members(id(1), Page::ALL).await.unwrap()), ["ada", "bob", "eve"]);
    assert_eq!(names(&view.groups().members(id(1), Page { offset: 1, limit: 1 }).await.unwrap()), ["bob"]);
    assert_eq!(keys(&view.groups().of_user(ada.pk, false).await.unwrap()), [1, 2]);
    drop(view);
    let mut tx = pair.write().await;
    assert!(tx.groups().remove_member(id(1), ada.pk).await.unwrap());
    assert!(!tx.groups().remove_member(id(1), ada.pk).await.unwrap());
    assert_eq!(keys(&tx.groups().of_user(ada.pk, false).await.unwrap()), [2]);
    assert_eq!(names(&tx.groups().members(id(1), Page::ALL).await.unwrap()), ["bob", "eve"]);
}

/// A member of a group is a member of all that stands above it, once, on whatever way.
pub async fn inheritance(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    add(&pair, [group(1, &[]), group(2, &[1]), group(3, &[1]), group(4, &[2, 3]), group(5, &[])]).await;
    let mut tx = pair.write().await;
    tx.groups().add_member(id(4), ada.pk).await.unwrap();
    tx.groups().add_member(id(3), ada.pk).await.unwrap();
    tx.groups().add_member(id(1), bob.pk).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(keys(&view.groups().of_user(ada.pk, false).await.unwrap()), [3, 4]);
    let inherited = view.groups().of_user(ada.pk, true).await.unwrap();
    assert_eq!(keys(&inherited), [1, 2, 3, 4]);
    assert_eq!(inherited[3].parents, [id(2), id(3)]);
    assert_eq!(keys(&view.groups().of_user(bob.pk, true).await.unwrap()), [1]);
    let memberships = view.groups().memberships(ada.pk).await.unwrap();
    let told: Vec<_> = memberships.iter().map(|(group, is_direct)| (group.pk.as_u128(), *is_direct)).collect();
    assert_eq!(told, [(1, false), (2, false), (3, true), (4, true)]);
    assert_eq!(memberships.into_iter().map(|(group, _)| group).collect::<Vec<_>>(), inherited);
    assert!(view.groups().memberships(999).await.unwrap().is_empty());
    let [eve] = pair.users(["eve"]).await;
    for tx in [&mut pair.read().await, &mut pair.write().await] {
        let memberships = tx.groups().memberships(ada.pk).await.unwrap();
        for key in [UserKey::Pk(ada.pk), UserKey::Username("ada")] {
            assert_eq!(tx.users().with_memberships(key).await.unwrap(), Some((ada.clone(), memberships.clone())), "{key:?}");
        }
        assert_eq!(tx.users().with_memberships(UserKey::Pk(eve.pk)).await.unwrap(), Some((eve.clone(), Vec::new())));
        for nobody in [UserKey::Pk(999), UserKey::Username("Ada"), UserKey::Username("")] {
            assert_eq!(tx.users().with_memberships(nobody).await.unwrap(), None, "{nobody:?}");
        }
    }
}

/// With a group go its memberships, and its place above others.
pub async fn deletion(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    add(&pair, [group(1, &[]), group(2, &[1]), group(3, &[2])]).await;
    let mut tx = pair.write().await;
    tx.groups().add_member(id(2), ada.pk).await.unwrap();
    tx.groups().add_member(id(3), ada.pk).await.unwrap();
    tx.save().await.unwrap();
    let mut tx = pair.write().await;
    assert!(tx.groups().delete(id(2)).await.unwrap());
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.groups().lookup(id(2)).await.unwrap(), None);
    assert_eq!(view.groups().find_by_name("g2").await.unwrap(), None);
    assert_eq!(keys(&view.groups().of_user(ada.pk, true).await.unwrap()), [3]);
    assert!(view.groups().lookup(id(3)).await.unwrap().unwrap().parents.is_empty());
}
