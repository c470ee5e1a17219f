//! Transactions and views.

use chrono::Duration;
use serde_json::json;

use super::{Pair, at, hash, id, new_user};
use crate::error::{Result, StoreError};
use crate::records::{
    CommitOutcome, Durability, Event, EventFilter, Group, NewTask, Page, Session, SessionFilter, Token, TokenIntent, User,
    UserField, UserFilter,
};

/// Without a save nothing was done.
pub async fn dropped_is_undone(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    for durability in [Durability::Full, Durability::Relaxed] {
        let mut tx = pair.one.begin(durability).await.unwrap();
        tx.users().add(new_user("bob"), at(0)).await.unwrap();
        tx.users().delete(ada.pk).await.unwrap();
        tx.groups().add(&Group::named(id(1), "g", at(0))).await.unwrap();
        tx.settings().put("s", &json!(1)).await.unwrap();
        tx.sessions().add(&super::sessions::session(1, None)).await.unwrap();
        assert_eq!(tx.objects().commit(0, &[]).await.unwrap(), CommitOutcome::Committed(1));
        drop(tx);
    }
    let mut view = pair.read().await;
    assert_eq!(super::names(&view.users().list(&UserFilter::default(), Page::ALL).await.unwrap()), ["ada"]);
    assert_eq!(view.groups().lookup(id(1)).await.unwrap(), None);
    assert_eq!(view.settings().lookup("s").await.unwrap(), None);
    assert_eq!(view.sessions().count(&SessionFilter::default()).await.unwrap(), 0);
    assert_eq!(view.objects().revision().await.unwrap(), 0);
}

/// What was saved is seen through every handle; a transaction sees its own changes before that.
pub async fn saved_is_seen(pair: Pair) {
    let mut tx = pair.one.begin(Durability::Full).await.unwrap();
    tx.settings().put("s", &json!(1)).await.unwrap();
    assert_eq!(tx.settings().lookup("s").await.unwrap(), Some(json!(1)));
    assert_eq!(pair.read().await.settings().lookup("s").await.unwrap(), None);
    tx.save().await.unwrap();
    for backend in [&pair.one, &pair.two] {
        assert_eq!(backend.read().await.unwrap().settings().lookup("s").await.unwrap(), Some(json!(1)));
        assert_eq!(backend.begin(Durability::Relaxed).await.unwrap().settings().lookup("s").await.unwrap(), Some(json!(1)));
    }
    // An empty transaction and a view may be saved too: nothing happens.
    pair.write().await.save().await.unwrap();
    pair.read().await.save().await.unwrap();
}

/// What is written by itself is there once it is saved, survives what fails beside it, and lets the next one write.
pub async fn one_write(pair: Pair) {
    for (number, durability) in [Durability::Relaxed, Durability::Full, Durability::Full].into_iter().enumerate() {
        let mut tx = pair.one.begin_one(durability).await.unwrap();
        tx.settings().put("s", &json!(number)).await.unwrap();
        tx.save().await.unwrap();
        assert_eq!(pair.read().await.settings().lookup("s").await.unwrap(), Some(json!(number)));
    }
    let mut tx = pair.one.begin_one(Durability::Relaxed).await.unwrap();
    tx.users().add(new_user("ada"), at(0)).await.unwrap();
    tx.save().await.unwrap();
    let mut tx = pair.one.begin_one(Durability::Relaxed).await.unwrap();
    assert!(matches!(tx.users().add(new_user("ada"), at(0)).await, Err(StoreError::Taken(_))));
    assert!(matches!(tx.save().await, Err(StoreError::Invalid(_))));
    // One that is dropped, with or without a write, is nobody's hindrance.
    drop(pair.one.begin_one(Durability::Full).await.unwrap());
    let mut tx = pair.one.begin_one(Durability::Full).await.unwrap();
    tx.settings().put("t", &json!(1)).await.unwrap();
    drop(tx);
    pair.users(["bob"]).await;
}

/// Who looks up one thing after the other finds what is committed, and cannot write.
pub async fn looking(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let mut look = pair.two.look().await.unwrap();
    assert_eq!(look.users().find_by_username("ada").await.unwrap().map(|user| user.pk), Some(ada.pk));
    assert_eq!(look.users().lookup(ada.pk).await.unwrap().map(|user| user.username), Some("ada".to_owned()));
    assert_eq!(look.users().find_by_username("bob").await.unwrap(), None);
    refused("a change", look.users().delete(ada.pk).await);
    drop(look);
    pair.users(["bob"]).await;
    let mut look = pair.two.look().await.unwrap();
    assert!(look.users().find_by_username("bob").await.unwrap().is_some());
    look.save().await.unwrap();
}

/// A view stays as it was when it was opened, and does not stand in a writer's way.
pub async fn views_stay(pair: Pair) {
    let mut view = pair.read().await;
    pair.users(["ada"]).await;
    assert_eq!(view.users().count(&UserFilter::default()).await.unwrap(), 0);
    pair.users(["bob"]).await;
    assert_eq!(view.users().count(&UserFilter::default()).await.unwrap(), 0);
    assert_eq!(pair.read().await.users().count(&UserFilter::default()).await.unwrap(), 2);
}

fn refused<T>(what: &str, answer: Result<T>) {
    assert!(matches!(answer, Err(StoreError::Invalid(_))), "{what} went through a view");
}

/// Every writing method is refused in a view, even where there would be nothing to do.
pub async fn views_refuse_writes(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let group = Group::named(id(1), "g", at(0));
    let mut view = pair.read().await;

    let users = view.users();
    refused("users.add", users.add(new_user("bob"), at(0)).await);
    refused("users.update", users.update(&ada, at(0)).await);
    refused("users.set_password", users.set_password(ada.pk, None, at(0)).await);
    refused("users.upgrade_password", users.upgrade_password(ada.pk, "a", "b").await);
    refused("users.touch_login", users.touch_login(ada.pk, at(0)).await);
    refused("users.delete", users.delete(ada.pk).await);

    let groups = view.groups();
    refused("groups.add", groups.add(&group).await);
    refused("groups.update", groups.update(&group, at(0)).await);
    refused("groups.delete", groups.delete(id(1)).await);
    refused("groups.add_member", groups.add_member(id(1), ada.pk).await);
    refused("groups.remove_member", groups.remove_member(id(1), ada.pk).await);

    let sessions = view.sessions();
    refused("sessions.add", sessions.add(&super::sessions::session(1, None)).await);
    refused("sessions.swap_plan", sessions.swap_plan(&hash(1), 0, None, &json!({})).await);
    refused("sessions.touch", sessions.touch(&hash(1), at(0), None, "").await);
    refused("sessions.delete", sessions.delete(&hash(1)).await);
    refused("sessions.delete_of_user", sessions.delete_of_user(ada.pk, None).await);
    refused("sessions.delete_expired", sessions.delete_expired(at(0)).await);

    let tokens = view.tokens();
    let token = super::tokens::token(1, ada.pk);
    refused("tokens.add", tokens.add(&token).await);
    refused("tokens.update", tokens.update(&token).await);
    refused("tokens.spend", tokens.spend(&hash(1), TokenIntent::Api, at(0)).await);
    refused("tokens.delete", tokens.delete(id(1)).await);
    refused("tokens.delete_expired", tokens.delete_expired(at(0)).await);

    let task = NewTask { pk: id(1), name: "t".into(), args: json!({}), max_attempts: 1, run_at: at(0) };
    let tasks = view.tasks();
    refused("tasks.add", tasks.add(task, at(0)).await);
    refused("tasks.claim", tasks.claim("w", at(0), at(1)).await);
    refused("tasks.complete", tasks.complete(id(1), "w", at(0)).await);
    refused("tasks.fail", tasks.fail(id(1), "w", "e", None, at(0)).await);
    refused("tasks.delete_finished", tasks.delete_finished(at(0)).await);

    refused("events.delete_expired", view.events().delete_expired(at(0)).await);
    let traces = view.decision_traces();
    refused("decision_traces.put", traces.put(&super::decision_traces::trace("a", 0)).await);
    refused("decision_traces.delete_expired", traces.delete_expired(at(0)).await);
    refused("settings.put", view.settings().put("s", &json!(1)).await);
    refused("settings.add_if_absent", view.settings().add_if_absent("s", &json!(1)).await);
    refused("objects.lock_revision", view.objects().lock_revision().await);
    refused("objects.commit", view.objects().commit(0, &[]).await);
    refused("objects.commit of an old base", view.objects().commit(7, &[]).await);

    // A refused write is no harm: the view can still be read.
    assert_eq!(view.users().lookup(ada.pk).await.unwrap(), Some(ada));
}

/// After a write that failed a transaction takes no more writes and cannot be saved; the next one is as good as new.
pub async fn a_failed_one_is_not_saved(pair: Pair) {
    pair.users(["ada"]).await;
    let mut tx = pair.write().await;
    tx.users().add(new_user("bob"), at(0)).await.unwrap();
    assert!(matches!(tx.users().add(new_user("ada"), at(0)).await, Err(StoreError::Taken(_))));
    assert!(matches!(tx.settings().put("s", &json!(1)).await, Err(StoreError::Invalid(_))));
    assert!(matches!(tx.save().await, Err(StoreError::Invalid(_))));
    let mut tx = pair.write().await;
    tx.settings().put("s", &json!(2)).await.unwrap();
    assert!(matches!(tx.users().touch_login(999, at(0)).await, Err(StoreError::Missing(_))));
    assert!(matches!(tx.save().await, Err(StoreError::Invalid(_))));
    pair.users(["eve"]).await;
    let mut view = pair.read().await;
    assert_eq!(super::names(&view.users().list(&UserFilter::default(), Page::ALL).await.unwrap()), ["ada", "eve"]);
    assert_eq!(view.settings().lookup("s").await.unwrap(), None);
}

/// Migrating what has the shape already changes nothing, from either handle.
pub async fn migrating_again(pair: Pair) {
    pair.users(["ada"]).await;
    for backend in [&pair.one, &pair.two] {
        backend.migrate().await.unwrap();
        backend.ping().await.unwrap();
        assert!(!backend.name().is_empty());
    }
    assert_eq!(pair.read().await.users().count(&UserFilter::default()).await.unwrap(), 1);
}

/// A text with a null character is refused by every backend alike, and nothing is found by one.
pub async fn null_characters(pair: Pair) {
    let [ada] = pair.users(["ada"]).await;
    let mut refusals = Vec::new();
    for username in ["a\0", "\0"] {
        refusals.push(pair.write().await.users().add(new_user(username), at(0)).await.map(drop));
    }
    let odd = User { name: "\0".into(), ..ada.clone() };
    refusals.push(pair.write().await.users().update(&odd, at(0)).await);
    refusals.push(pair.write().await.groups().add(&Group::named(id(1), "g\0", at(0))).await);
    let token = Token { identifier: "t\0".into(), ..super::tokens::token(1, ada.pk) };
    refusals.push(pair.write().await.tokens().add(&token).await);
    let session = Session { last_user_agent: "\0".into(), ..super::sessions::session(1, None) };
    refusals.push(pair.write().await.sessions().add(&session).await);
    for refusal in refusals {
        assert!(matches!(refusal, Err(StoreError::Invalid(_))), "{refusal:?}");
    }
    let mut view = pair.read().await;
    assert_eq!(view.users().find_by_username("ada\0").await.unwrap(), None);
    assert!(view.users().find_by_field(UserField::Email, "\0", true).await.unwrap().is_empty());
    assert_eq!(view.groups().find_by_name("\0").await.unwrap(), None);
    assert_eq!(view.tokens().find_by_identifier("\0").await.unwrap(), None);
    let search = UserFilter { search: Some("\0".into()), ..UserFilter::default() };
    assert_eq!(view.users().count(&search).await.unwrap(), 0);
    assert!(view.users().list(&search, Page::ALL).await.unwrap().is_empty());
    // The view is as good as before.
    assert_eq!(view.users().lookup(ada.pk).await.unwrap(), Some(ada));
}

/// Moments come back to the microsecond, whatever the clock of the machine gave.
pub async fn moments_to_the_microsecond(pair: Pair) {
    let fine = at(0) + Duration::nanoseconds(789);
    let event = Event {
        pk: id(1),
        action: "a".into(),
        app: "b".into(),
        user: serde_json::Map::new(),
        user_pk: None,
        context: serde_json::Map::new(),
        client_ip: None,
        created: fine,
        expires: fine,
    };
    let mut tx = pair.write().await;
    let added = tx.users().add(new_user("ada"), fine).await.unwrap();
    tx.events().add(&event).await.unwrap();
    refused("events.add", pair.read().await.events().add(&event).await);
    tx.save().await.unwrap();
    assert_eq!(added.date_joined, at(0));
    let mut view = pair.read().await;
    assert_eq!(view.users().lookup(added.pk).await.unwrap(), Some(added));
    let stored = view.events().list(&EventFilter::default(), Page::ALL).await.unwrap();
    assert_eq!((stored[0].created, stored[0].expires), (at(0), at(0)));
}
