//! What a script keeps in all of its variables together. The engine itself looks only at what is written, not at what that is written into.

use std::cell::Cell;
use std::collections::BTreeSet;

use rhai::{Dynamic, Scope};

/// Entries and bytes of all variables of a function at the most.
const ALL: usize = 4 << 20;

/// What an entry counts beside its content, in bytes.
const ENTRY: usize = 256;

/// What a place in a container counts, before what is in it is looked at.
const SLOT: usize = 32;

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
    let mut shared = Shared::default();
    if scope.iter_raw().any(|(_, _, value)| !fits(value, &mut left, &mut shared)) {
        return true;
    }
    while let Some(value) = shared.waiting.pop() {
        if !fits(&value, &mut left, &mut shared) {
            return true;
        }
    }
    false
}

/// The containers of translated scripts: several names may mean the same one, which counts once.
#[derive(Default)]
struct Shared {
    seen: BTreeSet<usize>,
    /// What is in them, one after another instead of one within another.
    waiting: Vec<Dynamic>,
}

/// Takes the size of a value off what is left; whether that was enough.
fn fits(value: &Dynamic, left: &mut usize, shared: &mut Shared) -> bool {
    let own = value.as_immutable_string_ref().map_or(ENTRY, |text| ENTRY + text.len());
    let translated = crate::python::kept(value);
    let more = translated.as_ref().map_or(0, |kept| kept.bytes);
    let Some(rest) = left.checked_sub(own + more) else { return false };
    *left = rest;
    if let Some(kept) = translated {
        if let Some((who, entries)) = kept.container
            && shared.seen.insert(who)
        {
            let Some(rest) = left.checked_sub(entries.len() * SLOT) else { return false };
            *left = rest;
            shared.waiting.extend(entries);
        }
        return true;
    }
    if let Ok(entries) = value.as_array_ref() {
        return entries.iter().all(|entry| fits(entry, left, shared));
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().all(|entry| fits(entry, left, shared));
    }
    true
}
