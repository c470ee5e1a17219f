//! How those who try to sign in have done.

use std::net::IpAddr;

use super::{Pair, at, id};
use crate::records::{By, Page, Reputation, ReputationFilter, ReputationOrder, ScoreChange};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A change of this name's score from this address, that is forgotten at minute 60.
fn change(pk: u128, identifier: &str, from: &str, amount: i64) -> ScoreChange {
    ScoreChange { pk: id(pk), identifier: identifier.into(), ip: ip(from), amount, lower: -5, upper: 3, expires: at(60) }
}

async fn changed(pair: &Pair, change: &ScoreChange, minute: i64) -> Reputation {
    let mut tx = pair.write().await;
    let row = tx.reputations().change(change, at(minute)).await.unwrap();
    tx.save().await.unwrap();
    row
}

/// A score counts up and down within its limits, and anew once it has expired.
pub async fn scores_are_bounded(pair: Pair) {
    let first = changed(&pair, &change(1, "ada", "192.0.2.1", -1), 0).await;
    assert_eq!((first.pk, first.score, first.updated, first.expires), (id(1), -1, at(0), at(60)));
    let second = changed(&pair, &ScoreChange { expires: at(70), ..change(2, "ada", "192.0.2.1", -1) }, 1).await;
    assert_eq!((second.pk, second.score, second.updated, second.expires), (id(1), -2, at(1), at(70)));
    assert_eq!(pair.read().await.reputations().lookup(id(1)).await.unwrap(), Some(second));
    assert_eq!(changed(&pair, &change(2, "ada", "192.0.2.1", -9), 2).await.score, -5);
    assert_eq!(changed(&pair, &change(2, "ada", "192.0.2.1", 1), 3).await.score, -4);
    assert_eq!(changed(&pair, &change(2, "ada", "192.0.2.1", 99), 4).await.score, 3);
    assert_eq!(changed(&pair, &ScoreChange { expires: at(90), ..change(2, "ada", "192.0.2.1", -1) }, 60).await.score, -1);
    assert_eq!(changed(&pair, &change(3, "bob", "192.0.2.1", -99), 5).await.score, -5);
    assert_eq!(pair.read().await.reputations().lookup(id(2)).await.unwrap(), None);
}

/// What counts is what was tried from the address, or under the name, and has not expired.
pub async fn totals(pair: Pair) {
    changed(&pair, &change(1, "ada", "192.0.2.1", -1), 0).await;
    changed(&pair, &change(2, "bob", "192.0.2.1", -2), 0).await;
    changed(&pair, &change(3, "ada", "2001:db8::1", 3), 0).await;
    changed(&pair, &ScoreChange { expires: at(90), ..change(4, "eve", "198.51.100.9", -4) }, 0).await;
    let mut view = pair.read().await;
    for (from, identifier, minute, expected) in [
        (Some("192.0.2.1"), None, 0, -3),
        (Some("2001:db8::1"), None, 0, 3),
        (None, Some("ada"), 0, 2),
        (Some("192.0.2.1"), Some("ada"), 0, 0),
        (Some("192.0.2.9"), Some("Ada"), 0, 0),
        (None, None, 0, 0),
        (Some("192.0.2.1"), None, 60, 0),
        (None, Some("eve"), 60, -4),
    ] {
        let sum = view.reputations().total(from.map(ip), identifier, at(minute)).await.unwrap();
        assert_eq!(sum, expected, "{from:?} {identifier:?} {minute}");
    }
}

/// Lists are filtered, sorted, and come in parts.
pub async fn lists(pair: Pair) {
    changed(&pair, &change(1, "Ada", "192.0.2.10", -1), 2).await;
    changed(&pair, &change(2, "bob", "192.0.2.9", 2), 1).await;
    changed(&pair, &change(3, "ada", "192.0.2.9", -4), 0).await;
    let all = ReputationFilter::default;
    let mut view = pair.read().await;
    for (filter, expected) in [
        (all(), &[1, 2, 3][..]),
        (ReputationFilter { identifier: Some("ada".into()), ..all() }, &[3]),
        (ReputationFilter { identifiers: vec!["ada".into(), "bob".into()], ..all() }, &[2, 3]),
        (ReputationFilter { ip: Some(ip("192.0.2.9")), ..all() }, &[2, 3]),
        (ReputationFilter { score: Some(-1), ..all() }, &[1]),
        (ReputationFilter { search: Some("ADA".into()), ..all() }, &[1, 3]),
        (ReputationFilter { search: Some("2.9 -4".into()), ..all() }, &[3]),
        (ReputationFilter { search: Some("%".into()), ..all() }, &[]),
        (ReputationFilter { order: vec![By::down(ReputationOrder::Score)], ..all() }, &[2, 1, 3]),
        (ReputationFilter { order: vec![By::up(ReputationOrder::Updated)], ..all() }, &[3, 2, 1]),
        (ReputationFilter { order: vec![By::up(ReputationOrder::Ip), By::down(ReputationOrder::Pk)], ..all() }, &[1, 3, 2]),
        (ReputationFilter { order: vec![By::up(ReputationOrder::Identifier)], ip: Some(ip("192.0.2.9")), ..all() }, &[3, 2]),
    ] {
        let expected: Vec<_> = expected.iter().map(|n| id(*n)).collect();
        let found = view.reputations().list(&filter, Page::ALL).await.unwrap();
        assert_eq!(found.iter().map(|row| row.pk).collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(view.reputations().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
    }
    let part = view.reputations().list(&all(), Page { offset: 1, limit: 1 }).await.unwrap();
    assert_eq!(part.iter().map(|row| row.pk).collect::<Vec<_>>(), [id(2)]);
}

/// A score is forgotten by its key, or when its time has come; then it can be made again.
pub async fn deletion(pair: Pair) {
    changed(&pair, &change(1, "ada", "192.0.2.1", -1), 0).await;
    changed(&pair, &change(2, "bob", "192.0.2.1", -1), 0).await;
    let mut tx = pair.write().await;
    assert!(tx.reputations().delete(id(1)).await.unwrap());
    assert!(!tx.reputations().delete(id(1)).await.unwrap());
    assert_eq!(tx.reputations().delete_expired(at(59)).await.unwrap(), 0);
    assert_eq!(tx.reputations().delete_expired(at(60)).await.unwrap(), 1);
    tx.save().await.unwrap();
    assert_eq!(pair.read().await.reputations().count(&ReputationFilter::default()).await.unwrap(), 0);
    assert_eq!(changed(&pair, &change(7, "ada", "192.0.2.1", -1), 1).await.pk, id(7));
}
