//! Browser sessions.

use serde_json::json;

use super::{Pair, at, hash, id};
use crate::error::StoreError;
use crate::records::{CLEAN_BATCH, NewTask, Page, Session, SessionFilter, Task, TaskFilter};

/// A session that ends at minute 60; its key follows from `n`, and so does its last use.
pub(super) fn session(n: u8, user: Option<i64>) -> Session {
    Session {
        id: hash(n),
        user,
        plan: Some(json!({"stage": n})),
        turn: 0,
        data: json!({"n": n}),
        created: at(0),
        last_used: at(n.into()),
        expires: at(60),
        last_ip: Some("2001:db8::1".parse().unwrap()),
        last_user_agent: "Mozilla/5.0 (ü)".into(),
    }
}

async fn add<const N: usize>(pair: &Pair, sessions: [Session; N]) {
    let mut tx = pair.write().await;
    for session in &sessions {
        tx.sessions().add(session).await.unwrap();
    }
    tx.save().await.unwrap();
}

fn keys(sessions: &[Session]) -> Vec<u8> {
    sessions.iter().map(|session| session.id[0]).collect()
}

/// A session is what was given, until it ends.
pub async fn add_and_expire(pair: Pair) {
    let bare = Session { plan: None, last_ip: None, ..session(2, None) };
    add(&pair, [session(1, None), bare.clone()]).await;
    let mut view = pair.read().await;
    let sessions = view.sessions();
    assert_eq!(sessions.lookup(&hash(1), at(59)).await.unwrap(), Some(session(1, None)));
    assert_eq!(sessions.lookup(&hash(2), at(59)).await.unwrap(), Some(bare));
    assert_eq!(sessions.lookup(&hash(1), at(60)).await.unwrap(), None);
    assert_eq!(sessions.lookup(&hash(9), at(0)).await.unwrap(), None);
    assert_eq!(sessions.find_by_half(&[1; 16], at(59)).await.unwrap(), Some(session(1, None)));
    assert_eq!(sessions.find_by_half(&[1; 16], at(60)).await.unwrap(), None);
    assert_eq!(sessions.find_by_half(&[9; 16], at(0)).await.unwrap(), None);
    drop(view);
    let error = pair.write().await.sessions().add(&session(1, None)).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("id")), "{error}");
    let error = pair.write().await.sessions().add(&session(3, Some(999))).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("user")), "{error}");
}

/// Lists come by last use, in parts, filtered.
pub async fn lists(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let long = Session { expires: at(90), ..session(2, Some(ada.pk)) };
    add(&pair, [session(1, Some(ada.pk)), long, session(3, Some(bob.pk)), session(4, None)]).await;
    let mut view = pair.read().await;
    let all = SessionFilter::default;
    for (filter, page, expected) in [
        (all(), Page::ALL, &[4, 3, 2, 1][..]),
        (all(), Page { offset: 1, limit: 2 }, &[3, 2]),
        (SessionFilter { user: Some(ada.pk), ..all() }, Page::ALL, &[2, 1]),
        (SessionFilter { valid_at: Some(at(60)), ..all() }, Page::ALL, &[2]),
        (SessionFilter { user: Some(bob.pk), valid_at: Some(at(60)), ..all() }, Page::ALL, &[]),
        (SessionFilter { signed_in: true, ..all() }, Page::ALL, &[3, 2, 1]),
        (SessionFilter { last_ip: Some("192.0.2.1".parse().unwrap()), ..all() }, Page::ALL, &[]),
        (SessionFilter { last_ip: session(1, None).last_ip, ..all() }, Page::ALL, &[4, 3, 2, 1]),
        (SessionFilter { last_user_agent: Some("Mozilla".into()), ..all() }, Page::ALL, &[]),
        (SessionFilter { last_user_agent: Some("Mozilla/5.0 (ü)".into()), ..all() }, Page::ALL, &[4, 3, 2, 1]),
    ] {
        assert_eq!(keys(&view.sessions().list(&filter, page).await.unwrap()), expected, "{filter:?}");
        if page == Page::ALL {
            assert_eq!(view.sessions().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        }
    }
}

/// Of two answers to one challenge the first moves the plan; the second finds that the turn is over.
pub async fn plans_are_swapped_once(pair: Pair) {
    add(&pair, [session(1, None)]).await;
    let (plan, data) = (json!({"next": [1]}), json!({"k": "v"}));
    let mut tx = pair.write().await;
    assert!(tx.sessions().swap_plan(&hash(1), 0, Some(&plan), &data).await.unwrap());
    assert!(!tx.sessions().swap_plan(&hash(1), 0, None, &json!({})).await.unwrap());
    assert!(!tx.sessions().swap_plan(&hash(9), 0, None, &data).await.unwrap());
    tx.save().await.unwrap();
    let stored = pair.read().await.sessions().lookup(&hash(1), at(0)).await.unwrap().unwrap();
    assert_eq!((stored.turn, stored.plan, stored.data), (1, Some(plan), data.clone()));

    let swap = |backend: std::sync::Arc<dyn crate::records::Backend>| {
        let data = data.clone();
        async move {
            let mut tx = backend.begin(crate::records::Durability::Relaxed).await.unwrap();
            let moved = tx.sessions().swap_plan(&hash(1), 1, None, &data).await.unwrap();
            tx.save().await.unwrap();
            moved
        }
    };
    let (a, b) = tokio::join!(tokio::spawn(swap(pair.one.clone())), tokio::spawn(swap(pair.two.clone())));
    assert!(a.unwrap() ^ b.unwrap());
    let stored = pair.read().await.sessions().lookup(&hash(1), at(0)).await.unwrap().unwrap();
    assert_eq!((stored.turn, stored.plan), (2, None));
}

/// A use is noted, and nothing else changes.
pub async fn touch(pair: Pair) {
    add(&pair, [session(1, None), session(2, None)]).await;
    let ip = Some("192.0.2.7".parse().unwrap());
    let mut tx = pair.write().await;
    tx.sessions().touch(&hash(1), at(5), ip, "curl").await.unwrap();
    tx.sessions().touch(&hash(2), at(6), None, "").await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    let expected = Session { last_used: at(5), last_ip: ip, last_user_agent: "curl".into(), ..session(1, None) };
    assert_eq!(view.sessions().lookup(&hash(1), at(0)).await.unwrap(), Some(expected));
    assert_eq!(view.sessions().lookup(&hash(2), at(0)).await.unwrap().unwrap().last_ip, None);
    drop(view);
    let error = pair.write().await.sessions().touch(&hash(9), at(5), None, "").await.unwrap_err();
    assert!(matches!(error, StoreError::Missing("session")), "{error}");
}

/// Sessions end one by one, by account, and by time.
pub async fn deletion(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let long = Session { expires: at(90), ..session(5, None) };
    let of = |n, user: &crate::records::User| session(n, Some(user.pk));
    add(&pair, [of(1, &ada), of(2, &ada), of(3, &ada), of(4, &bob), long]).await;
    let mut tx = pair.write().await;
    let sessions = tx.sessions();
    assert!(sessions.delete(&hash(1)).await.unwrap());
    assert!(!sessions.delete(&hash(1)).await.unwrap());
    assert_eq!(sessions.delete_of_user(ada.pk, Some(&hash(3))).await.unwrap(), 1);
    assert_eq!(keys(&sessions.list(&SessionFilter::default(), Page::ALL).await.unwrap()), [5, 4, 3]);
    assert_eq!(sessions.delete_of_user(ada.pk, None).await.unwrap(), 1);
    assert_eq!(sessions.delete_expired(at(59)).await.unwrap(), 0);
    assert_eq!(sessions.delete_expired(at(61)).await.unwrap(), 1);
    assert_eq!(keys(&sessions.list(&SessionFilter::default(), Page::ALL).await.unwrap()), [5]);
}

/// What waits for the end of a session is asked for when it ends, however it does, and once.
pub async fn tasks_at_the_end(pair: Pair) {
    let [ada, bob] = pair.users(["ada", "bob"]).await;
    let of = |n, user: &crate::records::User| session(n, Some(user.pk));
    let sessions = [of(1, &ada), of(2, &ada), of(3, &ada), of(4, &bob), Session { expires: at(10), ..of(5, &bob) }, of(6, &bob)];
    let wait = |n: u8, name: &str| NewTask {
        pk: id(n.into()),
        name: name.to_owned(),
        args: json!({ "n": n }),
        max_attempts: 3,
        run_at: at(0),
    };
    add(&pair, sessions).await;
    let mut tx = pair.write().await;
    for n in 1..=5 {
        tx.sessions().at_end(&hash(n), "a", &wait(n, "first")).await.unwrap();
    }
    // The same subject again takes the place of the first; another one stands beside it.
    tx.sessions().at_end(&hash(1), "a", &wait(11, "second")).await.unwrap();
    tx.sessions().at_end(&hash(1), "b", &wait(12, "beside")).await.unwrap();
    tx.save().await.unwrap();
    let mut tx = pair.write().await;
    assert!(tx.sessions().delete(&hash(1)).await.unwrap());
    assert!(!tx.sessions().delete(&hash(1)).await.unwrap());
    // Handed on to another session: its own end asks for it.
    tx.sessions().succeed(&hash(2), &hash(6)).await.unwrap();
    assert!(tx.sessions().delete(&hash(2)).await.unwrap());
    tx.save().await.unwrap();
    let asked = async || {
        let mut all = pair.read().await.tasks().list(&TaskFilter::default(), Page::ALL).await.unwrap();
        all.sort_by_key(|task| task.pk);
        all
    };
    let keys = |tasks: &[Task]| tasks.iter().map(|task| task.pk.as_u128()).collect::<Vec<_>>();
    let first = asked().await;
    assert_eq!(keys(&first), [11, 12]);
    assert_eq!((first[0].name.as_str(), &first[0].args, first[0].max_attempts), ("second", &json!({ "n": 11 }), 3));
    let mut tx = pair.write().await;
    let next = tx.tasks().claim("w", at(1), at(2)).await.unwrap();
    assert!(next.is_some(), "they are due");
    assert_eq!(tx.sessions().delete_of_user(ada.pk, Some(&hash(3))).await.unwrap(), 0);
    assert_eq!(tx.sessions().delete_of_user(ada.pk, None).await.unwrap(), 1);
    assert_eq!(tx.sessions().delete_expired(at(11)).await.unwrap(), 1);
    tx.save().await.unwrap();
    assert_eq!(keys(&asked().await), [3, 5, 11, 12]);
    let mut tx = pair.write().await;
    assert!(tx.users().delete(bob.pk).await.unwrap());
    tx.save().await.unwrap();
    let all = keys(&asked().await);
    assert!(all.contains(&4) && all.contains(&2), "{all:?}");
}

/// A clean-up takes so many at once, and no more: others want to write too.
pub async fn deletion_in_batches(pair: Pair) {
    let mut tx = pair.write().await;
    for n in 0..=CLEAN_BATCH {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_be_bytes());
        tx.sessions().add(&Session { id, ..session(1, None) }).await.unwrap();
    }
    assert_eq!(tx.sessions().delete_expired(at(61)).await.unwrap(), CLEAN_BATCH);
    assert_eq!(tx.sessions().delete_expired(at(61)).await.unwrap(), 1);
}
