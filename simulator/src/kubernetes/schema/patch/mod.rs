//! Patches that know nothing of owners.
//!
//! Owns: JSON patch (RFC 6902), JSON merge patch (RFC 7386), and their error.
//! Always holds: a patch that fails has changed nothing.
//! Deliberately does not know: which fields a patch may touch.

mod strategic;

use serde_json::Value;

pub use strategic::strategic_merge_patch;

/// Why a patch cannot be applied; the text is that of the real server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is not a well-formed one: 400 of the real server.
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object, for example a failed `test`: 422 of the real server.
    #[error("{0}")]
    Unprocessable(String),
}

/// Applies a JSON patch.
///
/// # Errors
/// When the patch is malformed or one of its operations fails.
pub fn json_patch(live: &Value, patch: &Value) -> Result<Value, PatchError> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| PatchError::Malformed(format!("error decoding patch: {error}")))?;
    let mut patched = live.clone();
    json_patch::patch(&mut patched, &patch).map_err(|error| {
        PatchError::Unprocessable(
            "the server rejected our request due to an error in our request".to_owned()
                + &format!(": {error}"),
        )
    })?;
    Ok(patched)
}

/// Applies a JSON merge patch.
#[must_use]
pub fn merge_patch(live: &Value, patch: &Value) -> Value {
    let mut patched = live.clone();
    json_patch::merge(&mut patched, patch);
    patched
}
