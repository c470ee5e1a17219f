//! Many people: what a login costs among them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_store::records::{Durability, NewUser};
use ak_tests::server::{Client, PASSWORD, Server, Start};

use crate::Scale;
use crate::engines::Engine;
use crate::table::{median, ms, row, thousands};

/// A transaction has so many new accounts.
const AT_ONCE: usize = 10_000;

/// With the cheapest of hashes, and in one process with the client: what is compared is the part of the database.
pub(crate) async fn people(scale: &Scale) {
    for engine in Engine::ALL {
        let few = town(engine, scale.few_users).await;
        let many = town(engine, scale.many_users).await;
        // Connections, caches and prepared statements; then in turns, because the machine is not always equally fast.
        in_turns(&few, &many, scale, scale.logins / 10).await;
        let (one, other) = in_turns(&few, &many, scale, scale.logins).await;
        let ratio = other.as_secs_f64() / one.as_secs_f64();
        let what = format!(
            "password login among {} users against one among {}, cheap hashes, {}",
            thousands(scale.many_users),
            thousands(scale.few_users),
            engine.name()
        );
        row(&what, format!("{ratio:.2} times ({}; {})", ms(other), ms(one)), "1.2 times");
    }
}

fn username(n: usize) -> String {
    format!("person-{n}")
}

/// A product with so many accounts.
async fn town(engine: Engine, users: usize) -> Server {
    let server = Start::new().on(&Arc::new(engine.place())).start().await;
    let hash = server.app.hasher().hash(PASSWORD).await.expect("a hash");
    for begin in (0..users).step_by(AT_ONCE) {
        let mut repo = server.store.backend().begin(Durability::Full).await.expect("a transaction");
        for n in begin..users.min(begin + AT_ONCE) {
            let name = username(n);
            let new = NewUser {
                password: Some(hash.clone()),
                email: format!("{name}@example.com"),
                ..NewUser::internal(server.store.rng().uuid(), &name)
            };
            repo.users().add(new, server.now()).await.expect("a new account");
        }
        repo.save().await.expect("saved");
    }
    server
}

/// Signs different people in here and there in turns; the medians.
async fn in_turns(few: &Server, many: &Server, scale: &Scale, times: usize) -> (Duration, Duration) {
    let (mut in_few, mut in_many) = (Vec::new(), Vec::new());
    for n in 0..times {
        // A prime number's steps: people from everywhere, nobody twice in a row.
        let (one, other) = (n * 7_919 % scale.few_users, n * 7_919 % scale.many_users);
        if n % 2 == 0 {
            in_few.push(sign_in(few, one).await);
            in_many.push(sign_in(many, other).await);
        } else {
            in_many.push(sign_in(many, other).await);
            in_few.push(sign_in(few, one).await);
        }
    }
    (median(in_few), median(in_many))
}

async fn sign_in(server: &Server, n: usize) -> Duration {
    let client = Client::new(&server.url);
    let name = username(n);
    let begun = Instant::now();
    let done = client.login(&name, PASSWORD).await;
    let took = begun.elapsed();
    assert_eq!(done.body["component"], "xak-flow-redirect", "{}", done.text);
    took
}
