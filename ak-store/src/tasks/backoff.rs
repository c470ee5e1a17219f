//! How long to wait before something is tried again.

use chrono::Duration;

use crate::clock::Rng;

const FIRST_SECONDS: i64 = 10;
const LONGEST_SECONDS: i64 = 3600;

/// The pause after the `attempt`-th failed try: it doubles each time up to an hour, and is shortened by chance by up to a half, so
/// that what failed together is not tried again together.
pub(super) fn pause(attempt: i32, rng: &dyn Rng) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(20);
    let full = FIRST_SECONDS.saturating_mul(1 << doublings).min(LONGEST_SECONDS) * 1000;
    Duration::milliseconds(full - up_to(full / 2, rng))
}

/// `every`, give or take a tenth: workers that were started together drift apart.
pub(super) fn about(every: Duration, rng: &dyn Rng) -> Duration {
    let tenth = every.num_milliseconds().max(0) / 10;
    every - Duration::milliseconds(tenth) + Duration::milliseconds(up_to(tenth * 2, rng))
}

/// A whole number from 0 to `most`.
fn up_to(most: i64, rng: &dyn Rng) -> i64 {
    let most = u64::try_from(most).unwrap_or(0);
    i64::try_from(u64::from_le_bytes(rng.bytes()) % (most + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRng;

    #[test]
    fn pauses_double_with_jitter_up_to_an_hour() {
        let rng = SeededRng::new(3);
        for (attempt, full) in [(i32::MIN, 10), (1, 10), (2, 20), (5, 160), (9, 2560), (10, 3600), (i32::MAX, 3600)] {
            for _ in 0..100 {
                let pause = pause(attempt, &rng);
                assert!(pause >= Duration::seconds(full) / 2 && pause <= Duration::seconds(full), "{attempt}: {pause}");
            }
        }
        for _ in 0..100 {
            let hour = about(Duration::hours(1), &rng);
            assert!(hour >= Duration::minutes(54) && hour <= Duration::minutes(66), "{hour}");
        }
    }
}
