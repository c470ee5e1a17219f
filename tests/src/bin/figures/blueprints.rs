//! The default blueprints, on a store without any object and on one that has them all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_bins::{Wiring, open_store};
use ak_flows::blueprint::Engine as Blueprints;
use ak_store::directory::password::PasswordHasher;
use ak_store::records::Durability;
use ak_tests::server::Start;

use crate::engines::Engine;
use crate::table::{median, ms, row};

pub(crate) async fn blueprints() {
    for engine in Engine::ALL {
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            let (one, other) = apply(engine).await;
            first.push(one);
            again.push(other);
        }
        let name = engine.name();
        row(&format!("all default blueprints on an empty store, inside, {name}, saved"), ms(median(first)), "150 ms");
        let what = format!("the same again, inside, {name}; writes nothing");
        row(&what, ms(median(again)), "20 ms");
    }
}

/// How long all of them take, and how long they take again.
async fn apply(engine: Engine) -> (Duration, Duration) {
    let (settings, _place) = Start::new().on(&Arc::new(engine.place())).settings();
    let wiring = Wiring::standard().expect("the wiring");
    let (store, _) = open_store(&settings, &wiring).await.expect("a store");
    assert_eq!(store.snapshot().revision(), 0, "the store is empty");
    let blueprints = Blueprints::standard(store.clone(), PasswordHasher::new(wiring.password_cost));

    let begun = Instant::now();
    let mut unit = store.begin(Durability::Full).await.expect("a transaction");
    blueprints.apply_shipped_in(&mut unit).await.expect("the default objects");
    unit.save().await.expect("saved");
    let first = begun.elapsed();

    let revision = store.snapshot().revision();
    assert_ne!(revision, 0, "objects have been written");
    let begun = Instant::now();
    blueprints.renew_shipped().await.expect("the same objects");
    let again = begun.elapsed();
    // In the storage, not only in memory.
    let stored = store.read().await.expect("the records").objects().revision().await.expect("the revision");
    assert_eq!((stored, store.snapshot().revision()), (revision, revision), "nothing has been written");
    (first, again)
}
