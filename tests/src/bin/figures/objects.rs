//! Many objects.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_bins::{Wiring, open_store};
use ak_flows::stages::DummyStage;
use ak_store::config::load_from;
use ak_store::memory::MemoryBackend;
use ak_store::model::{Registry, Store, StoreOptions};
use ak_store::{SystemClock, SystemRng};
use ak_tests::program::Served;
use ak_tests::server::{SECRET_KEY, TOKEN};

use crate::Scale;
use crate::processes::{cpu, home, resident, start};
use crate::table::{median, ms, row, thousands, us};

pub(crate) async fn memory(registry: Registry) -> Arc<Store> {
    let options = StoreOptions {
        backend: Arc::new(MemoryBackend::new()),
        registry: registry.build().expect("the kinds fit together"),
        secret_key: SECRET_KEY.to_owned(),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
    };
    Store::open(options).await.expect("a store in memory")
}
fn dummy(name: String) -> DummyStage {
    DummyStage { name, throw_error: false }
}

/// One object after another; how long one takes.
async fn create_each(store: &Store) -> Duration {
    let mut times = Vec::new();
    for n in 0..300 {
        let begun = Instant::now();
        store.write(|draft| draft.add(&dummy(format!("one-{n}")))).await.expect("an object");
        times.push(begun.elapsed());
    }
    median(times)
}

pub(crate) async fn objects(scale: &Scale) {
    let many_of_them = thousands(scale.objects);
    let home = home();
    let (_, served) = start(&home).await;
    served.stop().await;
    let environment = [
        ("AUTHENTIK_SQLITE__PATH".to_owned(), home.database().display().to_string()),
        ("AUTHENTIK_SECRET_KEY".to_owned(), SECRET_KEY.to_owned()),
    ];
    let settings = load_from(environment, None).expect("settings").settings;
    let wiring = Wiring::standard().expect("the wiring");
    let objects = scale.objects;
    let many = move |draft: &mut ak_store::model::Draft| {
        for n in 0..objects {
            draft.add(&dummy(format!("dummy-{n}")))?;
        }
        Ok(())
    };

    let (store, _) = open_store(&settings, &wiring).await.expect("a store");
    let begun = Instant::now();
    store.write(many).await.expect("many objects");
    row(&format!("{many_of_them} objects in one write, inside, SQLite"), ms(begun.elapsed()), "");
    drop(store);
    let mut opens = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        black_box(open_store(&settings, &wiring).await.expect("a store"));
        opens.push(begun.elapsed());
    }
    row(&format!("opening a store with {many_of_them} objects, inside, SQLite"), ms(median(opens)), "");
    let (store, _) = open_store(&settings, &wiring).await.expect("a store");
    row(&format!("one create among {many_of_them}, inside, SQLite, synced to disk"), us(create_each(&store).await), "1 ms");
    drop(store);
    let store = memory(ak_http::kinds(Registry::new())).await;
    store.write(many).await.expect("many objects");
    row(&format!("one create among {many_of_them}, inside, in memory"), us(create_each(&store).await), "1 ms");

    let snapshot = store.snapshot();
    let (at, _) = snapshot.all::<DummyStage>().nth(objects / 2).expect("an object");
    const READS: u32 = 5_000_000;
    let begun = Instant::now();
    for _ in 0..READS {
        black_box(snapshot.get(black_box(at)).expect("the object"));
    }
    row(
        &format!("one typed read among {many_of_them}, inside"),
        format!("{:.0} ns", begun.elapsed().as_nanos() as f64 / f64::from(READS)),
        "",
    );

    let (took, served) = start(&home).await;
    row(&format!("later start with {many_of_them} objects, until ready"), ms(took), "");
    row(&format!("resident memory, idle, {many_of_them} objects"), resident(&served.program), "60 MB");
    list(&served, scale).await;
    served.stop().await;
}

/// The first hundred, and those in the middle, over the API.
async fn list(served: &Served, scale: &Scale) {
    let client = served.client().header("authorization", &format!("Bearer {TOKEN}"));
    let middle = scale.objects / 200;
    let paths = [1, middle].map(|page| format!("/api/v3/stages/dummy/?page_size=100&page={page}"));
    let before = cpu(served.program.pid());
    let mut times = Vec::new();
    for n in 0..scale.requests {
        let begun = Instant::now();
        let page = client.get(&paths[n % 2]).await;
        times.push(begun.elapsed());
        assert_eq!(page.body["results"].as_array().map(Vec::len), Some(100), "{}", page.text);
    }
    let each = (cpu(served.program.pid()) - before) / u32::try_from(scale.requests).expect("not many");
    let what = format!("list 100 of {} objects over the API, also from the middle", thousands(scale.objects));
    row(&what, format!("{}, {} CPU time of the server", ms(median(times)), ms(each)), "");
}
