//! Keys that stand for an account.

use tokio::task::JoinSet;

use super::{Pair, at, hash, id};
use crate::error::StoreError;
use crate::records::{By, Durability, Page, Token, TokenFilter, TokenIntent, TokenOrder};

/// A recovery token that ends at minute 60; its keys follow from `n`.
pub(super) fn token(n: u8, user: i64) -> Token {
    Token {
        pk: id(n.into()),
        identifier: format!("t{n}"),
        user,
        intent: TokenIntent::Recovery,
        key_hash: hash(n),
        key_sealed: Some("sealed".into()),
        description: "für Ada".into(),
        expires: Some(at(60)),
        managed: Some("product/x".into()),
        created: at(0),
    }
}

async fn add<const N: usize>(pair: &Pair, tokens: [Token; N]) {
    let mut tx = pair.write().await;
    for token in &tokens {
        tx.tokens().add(token).await.unwrap();
    }
    tx.save().await.unwrap();
}

fn keys(tokens: &[Token]) -> Vec<&str> {
    tokens.iter().map(|token| token.identifier.as_str()).collect()
}

/// A token is what was given, and is valid until it ends.
pub async fn add_and_expire(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let eternal = Token { expires: None, key_sealed: None, managed: None, ..token(2, ada.pk) };
    add(&pair, [token(1, ada.pk), eternal.clone()]).await;
    let mut view = pair.read().await;
    let tokens = view.tokens();
    assert_eq!(tokens.lookup(id(1)).await.unwrap(), Some(token(1, ada.pk)));
    assert_eq!(tokens.find_by_identifier("t1").await.unwrap(), Some(token(1, ada.pk)));
    assert_eq!(tokens.find_by_hash(&hash(1), at(59)).await.unwrap(), Some(token(1, ada.pk)));
    assert_eq!(tokens.find_by_hash(&hash(1), at(60)).await.unwrap(), None);
    assert_eq!(tokens.find_by_hash(&hash(2), at(99)).await.unwrap(), Some(eternal));
    assert_eq!(tokens.lookup(id(9)).await.unwrap(), None);
    assert_eq!(tokens.find_by_identifier("T1").await.unwrap(), None);
    assert_eq!(tokens.find_by_hash(&hash(9), at(0)).await.unwrap(), None);
}

/// Lists come by name, in parts, filtered.
pub async fn lists(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let api = Token {
        intent: TokenIntent::Api,
        description: "über".into(),
        expires: None,
        managed: Some("ours".into()),
        ..token(2, bob.pk)
    };
    add(&pair, [token(3, ada.pk), api, token(1, ada.pk)]).await;
    let mut view = pair.read().await;
    let all = TokenFilter::default;
    for (filter, page, expected) in [
        (all(), Page::ALL, &["t1", "t2", "t3"][..]),
        (all(), Page { offset: 1, limit: 1 }, &["t2"]),
        (TokenFilter { user: Some(ada.pk), ..all() }, Page::ALL, &["t1", "t3"]),
        (TokenFilter { intent: Some(TokenIntent::Api), ..all() }, Page::ALL, &["t2"]),
        (TokenFilter { identifier: Some("t3".into()), ..all() }, Page::ALL, &["t3"]),
        (TokenFilter { identifier: Some("t3".into()), user: Some(bob.pk), ..all() }, Page::ALL, &[]),
        (TokenFilter { username: Some("bob".into()), ..all() }, Page::ALL, &["t2"]),
        (TokenFilter { search: Some("T1".into()), ..all() }, Page::ALL, &["t1"]),
        (TokenFilter { search: Some("BO api".into()), ..all() }, Page::ALL, &["t2"]),
        (TokenFilter { search: Some("ÜBER".into()), ..all() }, Page::ALL, &["t2"]),
        (TokenFilter { description: Some("über".into()), ..all() }, Page::ALL, &["t2"]),
        (TokenFilter { managed: Some("ours".into()), ..all() }, Page::ALL, &["t2"]),
        (TokenFilter { expiring: Some(false), ..all() }, Page::ALL, &["t2"]),
        (TokenFilter { expires: Some(at(60)), ..all() }, Page::ALL, &["t1", "t3"]),
        (TokenFilter { expires: Some(at(61)), ..all() }, Page::ALL, &[]),
        (TokenFilter { order: vec![By::down(TokenOrder::Identifier)], ..all() }, Page::ALL, &["t3", "t2", "t1"]),
        (TokenFilter { order: vec![By::up(TokenOrder::Expires)], ..all() }, Page::ALL, &["t1", "t3", "t2"]),
        (TokenFilter { order: vec![By::down(TokenOrder::User)], ..all() }, Page::ALL, &["t2", "t1", "t3"]),
    ] {
        assert_eq!(keys(&view.tokens().list(&filter, page).await.unwrap()), expected, "{filter:?}");
        if page == Page::ALL {
            assert_eq!(view.tokens().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        }
    }
}

/// An update keeps everything.
pub async fn update(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    add(&pair, [token(1, ada.pk)]).await;
    let changed = Token {
        identifier: "renamed".into(),
        user: bob.pk,
        intent: TokenIntent::AppPassword,
        key_hash: hash(7),
        key_sealed: None,
        description: String::new(),
        expires: None,
        managed: None,
        created: at(1),
        ..token(1, ada.pk)
    };
    let mut tx = pair.write().await;
    tx.tokens().update(&changed).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.tokens().lookup(id(1)).await.unwrap().as_ref(), Some(&changed));
    assert_eq!(view.tokens().find_by_hash(&hash(7), at(99)).await.unwrap(), Some(changed));
    assert_eq!(view.tokens().find_by_hash(&hash(1), at(0)).await.unwrap(), None);
    assert_eq!(view.tokens().find_by_identifier("t1").await.unwrap(), None);
}

/// What cannot be is refused.
pub async fn refusals(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    add(&pair, [token(1, ada.pk), token(2, ada.pk)]).await;
    let error = pair.write().await.tokens().add(&Token { identifier: "t1".into(), ..token(3, ada.pk) }).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("identifier")), "{error}");
    let error = pair.write().await.tokens().add(&Token { key_hash: hash(1), ..token(3, ada.pk) }).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("key")), "{error}");
    let error = pair.write().await.tokens().update(&Token { identifier: "t1".into(), ..token(2, ada.pk) }).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("identifier")), "{error}");
    let error = pair.write().await.tokens().add(&token(3, 999)).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("user")), "{error}");
    let error = pair.write().await.tokens().update(&token(3, ada.pk)).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("token")), "{error}");
}

/// A token is spent once, for its own use, while it is valid.
pub async fn spend(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    add(&pair, [token(1, ada.pk), Token { expires: None, ..token(2, ada.pk) }]).await;
    let mut tx = pair.write().await;
    let tokens = tx.tokens();
    assert_eq!(tokens.spend(&hash(1), TokenIntent::Api, at(0)).await.unwrap(), None);
    assert_eq!(tokens.spend(&hash(1), TokenIntent::Recovery, at(60)).await.unwrap(), None);
    assert_eq!(tokens.spend(&hash(9), TokenIntent::Recovery, at(0)).await.unwrap(), None);
    assert_eq!(tokens.spend(&hash(1), TokenIntent::Recovery, at(59)).await.unwrap(), Some(token(1, ada.pk)));
    assert_eq!(tokens.spend(&hash(1), TokenIntent::Recovery, at(59)).await.unwrap(), None);
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.tokens().lookup(id(1)).await.unwrap(), None);
    assert_eq!(view.tokens().find_by_identifier("t1").await.unwrap(), None);
    assert_eq!(view.tokens().count(&TokenFilter::default()).await.unwrap(), 1);
}

/// Of fifty who spend one token at the same time, through two handles, one gets it.
pub async fn spend_has_one_winner(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    add(&pair, [token(1, ada.pk)]).await;
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let backend = if n % 2 == 0 { pair.one.clone() } else { pair.two.clone() };
        tasks.spawn(async move {
            let mut tx = backend.begin(Durability::Full).await.unwrap();
            let spent = tx.tokens().spend(&hash(1), TokenIntent::Recovery, at(0)).await.unwrap();
            tx.save().await.unwrap();
            spent.is_some()
        });
    }
    let winners = tasks.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
}

/// Tokens go one by one, and by time.
pub async fn deletion(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    add(&pair, [token(1, ada.pk), token(2, ada.pk), Token { expires: None, ..token(3, ada.pk) }]).await;
    let mut tx = pair.write().await;
    assert!(tx.tokens().delete(id(1)).await.unwrap());
    assert!(!tx.tokens().delete(id(1)).await.unwrap());
    assert_eq!(tx.tokens().delete_expired(at(59)).await.unwrap(), 0);
    assert_eq!(tx.tokens().delete_expired(at(61)).await.unwrap(), 1);
    assert_eq!(keys(&tx.tokens().list(&TokenFilter::default(), Page::ALL).await.unwrap()), ["t3"]);
    // The names and keys are free again.
    tx.tokens().add(&token(1, ada.pk)).await.unwrap();
}
