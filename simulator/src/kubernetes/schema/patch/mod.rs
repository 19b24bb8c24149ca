//! Patches that know nothing of owners.
//!
//! Owns: JSON patch (RFC 6902), JSON merge patch (RFC 7386), and their error.
//! Always holds: a patch that fails has changed nothing.
//! Deliberately does not know: which fields a patch may touch.

#[cfg(test)]
mod laws;
mod strategic;

use serde_json::Value;

pub use strategic::strategic_merge_patch;

/// Why a patch cannot be applied; the text is that of the real server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is no patch: 400 of the real server.
    #[error("{0}")]
    Malformed(String),
    /// An operation of a JSON patch failed or does not exist: 422 of the real server, which does
    /// not say which.
    #[error("{0}")]
    Unprocessable(String),
    /// A strategic merge patch that cannot be merged: 500 of the real server.
    #[error("{0}")]
    Unmergeable(String),
}

/// All that the real server says about a JSON patch that fails.
const REJECTED: &str = "the server rejected our request due to an error in our request";

/// Applies a JSON patch.
///
/// # Errors
/// When the patch is malformed or one of its operations fails.
pub fn json_patch(live: &Value, patch: &Value) -> Result<Value, PatchError> {
    if !patch.is_array() {
        let why = "error decoding patch: json: cannot unmarshal object into Go value of type \
                   []handlers.jsonPatchOp";
        return Err(PatchError::Malformed(why.to_owned()));
    }
    let patch: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|_| PatchError::Unprocessable(REJECTED.to_owned()))?;
    let mut patched = live.clone();
    json_patch::patch(&mut patched, &patch)
        .map_err(|_| PatchError::Unprocessable(REJECTED.to_owned()))?;
    Ok(patched)
}

/// Applies a JSON merge patch.
#[must_use]
pub fn merge_patch(live: &Value, patch: &Value) -> Value {
    let mut patched = live.clone();
    json_patch::merge(&mut patched, patch);
    patched
}
