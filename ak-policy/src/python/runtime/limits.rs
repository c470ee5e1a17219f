//! What one native call may make. The engine counts the operations of a script, not what a single call does.

use super::errors::{Res, unsupported};

/// The most elements of a container.
const ELEMENTS: usize = 20_000;
/// The longest text, in bytes.
const BYTES: usize = 128 << 10;

/// The most containers within a container, where each that is put into another is looked through.
const WITHIN: usize = 5_000;

/// Whether a container may hold that many others.
pub(crate) fn within(containers: usize) -> Res<()> {
    if containers > WITHIN {
        return Err(unsupported(format!("a container may hold {WITHIN} others")));
    }
    Ok(())
}

/// Whether a container may have that many elements and one more.
pub(crate) fn count(elements: usize) -> Res<()> {
    if elements >= ELEMENTS {
        return Err(unsupported(format!("a container may have {ELEMENTS} elements")));
    }
    Ok(())
}

/// Whether a text may have that many bytes.
pub(crate) fn bytes(length: usize) -> Res<()> {
    if length > BYTES {
        return Err(unsupported(format!("a text may be {BYTES} bytes long")));
    }
    Ok(())
}
