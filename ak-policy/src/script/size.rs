//! What a script keeps in all of its variables together. The engine itself looks only at what is written, not at what that is written into.

use std::cell::Cell;

use rhai::{Dynamic, Scope};

/// Entries and bytes of all variables of a function at the most.
const ALL: usize = 4 << 20;

/// What an entry counts beside its content, in bytes.
const ENTRY: usize = 256;

/// It is looked at every so many uses of a variable.
const LOOK: u32 = 128;

thread_local! {
    static USES: Cell<u32> = const { Cell::new(0) };
}

/// Whether it is time to look again.
pub(super) fn is_time() -> bool {
    let uses = USES.get().wrapping_add(1);
    USES.set(uses);
    uses.is_multiple_of(LOOK)
}

/// Whether the variables hold too much.
pub(super) fn is_too_large(scope: &Scope<'_>) -> bool {
    let mut left = ALL;
    scope.iter_raw().any(|(_, _, value)| !fits(value, &mut left))
}

/// Takes the size of a value off what is left; whether that was enough.
fn fits(value: &Dynamic, left: &mut usize) -> bool {
    let own = value.as_immutable_string_ref().map_or(ENTRY, |text| ENTRY + text.len());
    let Some(rest) = left.checked_sub(own) else { return false };
    *left = rest;
    if let Ok(entries) = value.as_array_ref() {
        return entries.iter().all(|entry| fits(entry, left));
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().all(|entry| fits(entry, left));
    }
    true
}
