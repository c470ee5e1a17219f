use std::sync::{Arc, mpsc};

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::pool::Pool;
use super::{Cost, Limits, MAX_PASSWORD_BYTES, PasswordError, PasswordHasher, Verdict, is_hash};
use crate::clock::SeededRng;

const HORSE: &str = "correct horse battery staple";
const LETTERS: &str = "pässwörd ☃ 密码";
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// What Django 5.2 makes with its default settings.
const DJANGO_DEFAULTS: &[(&str, &str)] = &[
    (HORSE, "argon2$argon2id$v=19$m=102400,t=2,p=8$czdRRGRLV1ZIVFM1QTdBQmkyY1luaQ$wINZ7xHdG9Jxbr/WsVpbqZbNUrrCba+VRGZxpq/H3Zc"),
    (HORSE, "pbkdf2_sha256$1000000$juDbi7c6Ko8vn8Zwj877fm$CLxavoTMSq7hUMCVwahchQIC095q8uVUoxU3T107wPw="),
    (HORSE, "pbkdf2_sha1$1000000$SqxXxe9gsdlVPKBsyzFT2p$bcd8jvQWC2GxGj7dxtiznFLgXrg="),
    (HORSE, "bcrypt_sha256$$2b$12$vK77c40yCD.lmxt38Kl9OeBT9bpWmuG8/OjD.MddVHkNJXicM0cB2"),
    (HORSE, "bcrypt$$2b$12$8HbH4PVPXbBKpBalMMxBde2SDYIhI/xIWWThEuAjC4RqXtzURtBRK"),
    (
        HORSE,
        "scrypt$16384$ArWc1VD3MSi6aaV9OU9RtB$8$5$EZ5FNAhGNrALIRXtclc86YZaZuuxv4EPcqkzMTPKamEZe/2ze61/NHnbS/uwc1Cjm6OsI4H4T2w89w13N+7bkA==",
    ),
];

/// What Django 5.2 makes with little work, for what its passwords can look like.
const DJANGO_CHEAP: &[(&str, &str)] = &[
    (HORSE, "argon2$argon2id$v=19$m=64,t=3,p=4$bTBQTkhZMXdQejlPYUJsZFpSeGRiWQ$VU72iEQdRbBEIXMdaxd+Ktym8wBMbwqIREA0Ve7Iy8I"),
    (LETTERS, "argon2$argon2id$v=19$m=64,t=3,p=4$ZnNISm9CSmZSUkFuWlhJcjFvR2NiTQ$9pi4ZbWaNAecArQonzfIncIHx3GMWeLABtVCVjL4xXg"),
    (LETTERS, "pbkdf2_sha256$1200$3ov4fwciWvVJTR1tPb4Y4O$LF0ap6r85kOFrf++/RH3Z+5gGL+xQ2DQC/1Di3ZoLSk="),
    (LETTERS, "pbkdf2_sha1$1200$pAIVybSIYW2jVUxVbB5bIt$LZGoYpMr+Q6DuleJy/9gAJzEDvM="),
    (LETTERS, "bcrypt_sha256$$2b$05$9v9skS3mqXogR18U4Q8wfOTl89260BWoPGbKD2YJRjfY8KMgS0s9."),
    (LETTERS, "bcrypt$$2b$05$eYyl.Y7E2wgulWlXIFZ7o.nvVWkCpKvj5mNfOks6sveELoDKK85xy"),
    (
        LETTERS,
        "scrypt$256$OmGnVdlqqAIVOmXJUP59kK$8$5$mXZ8gRkbZ7plzJRrm7R4pRUv9/f4lh5kNypwamsdjLeqYYd6Z++5Wx20865XJ26pnN/xIwKhNHvINf9enzOqjQ==",
    ),
    (LONG, "argon2$argon2id$v=19$m=64,t=3,p=4$Tkg1YWZGVmlKTDBlUmlJQmhRT0lVRQ$9ApcmJJPhNTFJljSTNrPmhELwF41OBh93+FkKFQDAsw"),
    (LONG, "pbkdf2_sha256$1200$KjS0ZujhYCDVkLEjJAaWMh$/PN7M8eTfRhJAZBjE2RBq0eIhJWOrWMxRdN5qmSTtRI="),
    (LONG, "bcrypt_sha256$$2b$05$VivlpymSMG6/Igkr0dKE9uFHUl8n/HsyIr0MYPKFwEDrFq9qY5iFK"),
    // bcrypt itself sees 72 of the 100 bytes.
    (LONG, "bcrypt$$2b$05$NeW04G9YntqapCa27kkbceU7QtXXdpC8wupb4vhAJZ2JhAGOIRqG2"),
    ("", "bcrypt$$2b$05$o/Tilf5CjIBw4y6ryx49rOARFwO9Wlc20/MrnaEdj6GTUzoYQSuuS"),
    ("", "pbkdf2_sha256$1200$LahL6x2zSoGdcGDbqGAiE7$aNUHA3O7hauOihOoVP2t9qbMPpL/tkHTt3/5gUuNTD4="),
    // Older variants and versions, from the reference implementation.
    (HORSE, "argon2$argon2i$v=19$m=64,t=2,p=1$c2FsdHNhbHQxMjM0$PbdR8sTU3sxOUWCAc5HpVg+on1zc75KgSw3N71ouwwo"),
    (HORSE, "argon2$argon2d$v=19$m=64,t=2,p=1$c2FsdHNhbHQxMjM0$GJNDugn+ZFha7i4wIlvX+Es4QKeMqpJCXd9UPMNEuKU"),
    (HORSE, "argon2$argon2i$v=16$m=64,t=2,p=1$c2FsdHNhbHQxMjM0$0+JAAUnpsLlu+gUTG5On7rzeh84NlU/up13HvmMmI9w"),
    (HORSE, "argon2$argon2i$m=64,t=2,p=1$c2FsdHNhbHQxMjM0$0+JAAUnpsLlu+gUTG5On7rzeh84NlU/up13HvmMmI9w"),
];

fn cheap() -> PasswordHasher {
    PasswordHasher::with_limits(Cost::cheap_for_tests(), Limits::default(), Arc::new(SeededRng::new(7)))
}

#[tokio::test]
async fn a_new_hash_matches_its_password_and_nothing_else() {
    let hasher = cheap();
    let stored = hasher.hash(LETTERS).await.unwrap();
    assert!(stored.starts_with("argon2$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
    assert_ne!(stored, hasher.hash(LETTERS).await.unwrap(), "every hash has a salt of its own");
    assert_eq!(hasher.verify(LETTERS, &stored).await.unwrap(), Verdict { matches: true, needs_upgrade: false });
    assert_eq!(hasher.verify("something else", &stored).await.unwrap(), Verdict::NO);
    hasher.verify_decoy("anything").await.unwrap();
}

#[tokio::test]
async fn the_default_cost_is_what_the_documentation_says() {
    let stored = PasswordHasher::new(Cost::default()).hash(HORSE).await.unwrap();
    assert!(stored.starts_with("argon2$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
}

#[tokio::test]
async fn hashes_made_by_django_match_and_are_made_stronger() {
    let hasher = PasswordHasher::new(Cost::default());
    for (password, stored) in DJANGO_DEFAULTS.iter().chain(DJANGO_CHEAP) {
        assert!(is_hash(stored), "{stored}");
        // Django's own Argon2 settings take more work than ours: they are kept.
        let needs_upgrade = !stored.contains("m=102400");
        assert_eq!(hasher.verify(password, stored).await.unwrap(), Verdict { matches: true, needs_upgrade }, "{stored}");
    }
    for (password, stored) in DJANGO_CHEAP {
        assert_eq!(hasher.verify(&format!("{}!", &password.replace('x', "y")), stored).await.unwrap(), Verdict::NO, "{stored}");
    }
}

#[tokio::test]
async fn a_hash_of_our_own_cost_made_by_django_stays() {
    let stored =
        "argon2$argon2id$v=19$m=19456,t=2,p=1$a3d6UE93dXNVMURJYnZIbEdqN1cyZg$9LRkaTSpm+K6MWmdQcIYpLBBxAL6x1YNS9HkhDzWFGY";
    let hasher = PasswordHasher::new(Cost::default());
    assert_eq!(hasher.verify(HORSE, stored).await.unwrap(), Verdict { matches: true, needs_upgrade: false });
}

#[tokio::test]
async fn what_is_no_hash_matches_no_password() {
    let hasher = cheap();
    let salted = "$c2FsdHNhbHQxMjM0$GJNDugn+ZFha7i4wIlvX+Es4QKeMqpJCXd9UPMNEuKU";
    let sha256 = "$salt$LF0ap6r85kOFrf++/RH3Z+5gGL+xQ2DQC/1Di3ZoLSk=";
    let bcrypt = "eYyl.Y7E2wgulWlXIFZ7o.nvVWkCpKvj5mNfOks6sveELoDKK85xy";
    let scrypt = "mXZ8gRkbZ7plzJRrm7R4pRUv9/f4lh5kNypwamsdjLeqYYd6Z++5Wx20865XJ26pnN/xIwKhNHvINf9enzOqjQ==";
    let malformed = [
        String::new(),
        "!OucQIQUlwwfRDSpkI9XPeX5nGMe3hCSiw9F5bHyq".into(),
        "!".into(),
        "$".into(),
        "plain text".into(),
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99".into(),
        // Work that nobody asks for in good faith.
        format!("argon2$argon2id$v=19$m=4194304,t=1,p=1{salted}"),
        format!("argon2$argon2id$v=19$m=262144,t=1000,p=1{salted}"),
        format!("argon2$argon2id$v=19$m=64,t=4294967295,p=1{salted}"),
        format!("pbkdf2_sha256$4000000000{sha256}"),
        format!("bcrypt$$2b$31${bcrypt}"),
        format!("scrypt$1073741824$salt$8$1${scrypt}"),
        format!("scrypt$16384$salt$1024$1024${scrypt}"),
        // Damage.
        format!("argon2$argon2id$v=20$m=64,t=1,p=1{salted}"),
        format!("argon2$argon2id$v=19$m=8,t=1,p=4{salted}"),
        format!("argon2$argon2id$v=19$t=1,m=64,p=1{salted}"),
        format!("argon2$argon2id$v=19$m=64,t=1,p=1{salted}$more"),
        "argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQxMjM0$".into(),
        format!("pbkdf2_sha1$1000{sha256}"),
        format!("pbkdf2_sha256$0{sha256}"),
        "pbkdf2_sha256$1000$$LF0ap6r85kOFrf++/RH3Z+5gGL+xQ2DQC/1Di3ZoLSk=".into(),
        format!("bcrypt$$2x$05${bcrypt}"),
        format!("bcrypt$$2b$5${bcrypt}"),
        format!("bcrypt$$2b$03${bcrypt}"),
        format!("bcrypt$2b$05${bcrypt}"),
        "bcrypt$$2b$05$éééééééééééééééééééééééééé".into(),
        format!("scrypt$1000$salt$8$1${scrypt}"),
        "x".repeat(100_000),
    ];
    for stored in &malformed {
        assert!(!is_hash(stored), "{stored}");
        for password in ["", "!", stored] {
            assert_eq!(hasher.verify(password, stored).await.unwrap(), Verdict::NO, "{stored}");
        }
    }
}

#[tokio::test]
async fn a_very_long_password_is_refused_and_never_matches() {
    let (hasher, long) = (cheap(), "x".repeat(MAX_PASSWORD_BYTES + 1));
    let longest = long.strip_prefix("x").unwrap();
    assert_eq!(hasher.hash(&long).await, Err(PasswordError::TooLong));
    assert_eq!(hasher.verify_decoy(&long).await, Ok(()));
    // bcrypt alone would see only the first 72 bytes.
    let stored = "bcrypt$$2b$05$NeW04G9YntqapCa27kkbceU7QtXXdpC8wupb4vhAJZ2JhAGOIRqG2";
    assert_eq!(hasher.verify(&long, stored).await, Ok(Verdict::NO));
    let stored = hasher.hash(longest).await.unwrap();
    assert!(hasher.verify(longest, &stored).await.unwrap().matches);
}

#[tokio::test]
async fn a_cost_out_of_bounds_is_brought_into_them() {
    let hasher = PasswordHasher::new(Cost { memory_kib: 0, passes: 0, lanes: 0 });
    let stored = hasher.hash(HORSE).await.unwrap();
    assert_eq!(hasher.verify(HORSE, &stored).await.unwrap(), Verdict { matches: true, needs_upgrade: false });
    assert!(!format!("{hasher:?} {:?}", PasswordError::Busy).contains(&stored));
}

/// Work that says when it begins and ends when it is told to.
fn held(pool: &Pool) -> (tokio::task::JoinHandle<Result<(), PasswordError>>, oneshot::Receiver<()>, mpsc::Sender<()>) {
    let (pool, (begun, has_begun), (end, told)) = (pool.clone(), oneshot::channel(), mpsc::channel::<()>());
    let job = tokio::spawn(async move {
        let work = move || {
            begun.send(()).ok();
            told.recv().ok();
        };
        pool.run(work).await
    });
    (job, has_begun, end)
}

#[tokio::test]
async fn a_full_queue_turns_callers_away_and_recovers() {
    let pool = Pool::new(Limits { threads: 1, waiting: 1 });
    let (works, begun, end) = held(&pool);
    begun.await.unwrap();
    let (waits, waiting_begun, end_waiting) = held(&pool);
    while pool.places.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.run(|| ()).await, Err(PasswordError::Busy));

    // A caller who gives up while waiting frees its place ...
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    assert_eq!(pool.places.available_permits(), 1);
    drop((waiting_begun, end_waiting));

    // ... one whose work has begun does not, until that work ends.
    works.abort();
    assert!(works.await.unwrap_err().is_cancelled());
    assert_eq!((pool.places.available_permits(), pool.threads.available_permits()), (1, 0));
    end.send(()).unwrap();
    assert_eq!(pool.run(|| 5).await, Ok(5));
    assert_eq!((pool.places.available_permits(), pool.threads.available_permits()), (2, 1));
}

#[tokio::test]
async fn work_that_panics_gives_its_place_back() {
    let pool = Pool::new(Limits { threads: 1, waiting: 0 });
    let failed: Result<(), _> = pool.run(|| panic!("on purpose")).await;
    assert!(matches!(failed, Err(PasswordError::Failed(_))));
    assert_eq!(pool.run(|| 5).await, Ok(5));
}

/// Texts that look enough like hashes to get past the first checks.
fn nearly_hashes() -> impl Strategy<Value = String> {
    let number = prop_oneof![Just("8".to_owned()), Just("64".to_owned()), "[0-9]{0,11}", any::<String>()];
    let blob = prop_oneof![Just("c2FsdHNhbHQxMjM0".to_owned()), "[A-Za-z0-9+/]{0,90}={0,2}", any::<String>()];
    (0..7_usize, proptest::collection::vec(number, 3), proptest::collection::vec(blob, 2), any::<String>()).prop_map(
        |(form, n, b, any)| match form {
            0 => any,
            1 => format!("argon2$argon2id$v=19$m={},t={},p={}${}${}", n[0], n[1], n[2], b[0], b[1]),
            2 => format!("pbkdf2_sha256${}${}${}", n[0], b[0], b[1]),
            3 => format!("pbkdf2_sha1${}${}${}", n[0], b[0], b[1]),
            4 => format!("bcrypt$$2b$0{}${}{}", n[0], b[0], b[1]),
            5 => format!("scrypt${}${}${}${}${}", n[0], b[0], n[1], n[2], b[1]),
            _ => format!("bcrypt_sha256${any}"),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_text_panics_and_none_matches_by_chance(stored in nearly_hashes(), password in any::<String>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let verdict = runtime.block_on(cheap().verify(&password, &stored)).unwrap();
        prop_assert_eq!(verdict, Verdict::NO);
    }
}
