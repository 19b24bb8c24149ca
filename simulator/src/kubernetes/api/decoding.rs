//! From JSON to an object of a kind.
//!
//! Owns: what happens to fields that a kind does not have, or that are given twice.
//! Always holds: a decoded object has no unknown fields.
//! Deliberately does not know: defaults and validation.

use serde_json::Value;

use super::{
    ApiError, ApiServer, Resource, metadata,
    types::{
        Types,
        decode::{decode, decode_metadata},
    },
    write::{FieldValidation, Writer},
};

impl ApiServer {
    /// Decodes in place, and gives the warnings that the writer should see.
    pub(super) fn decode(
        &self,
        writer: &Writer,
        r: &Resource,
        object: &mut Value,
    ) -> Result<Vec<String>, ApiError> {
        let types = Types::built_in();
        let decoded = match (
            self.registry.custom(r),
            types.of_kind(&r.api_version(), &r.kind),
        ) {
            (Some(version), _) => {
                metadata::of(object);
                decode_metadata(object).map(|mut unknown| {
                    unknown.extend(version.schema.prune(object));
                    version.schema.default(object);
                    unknown
                })
            }
            (None, Some(of)) => decode(object, of),
            (None, None) => Ok(Vec::new()),
        };
        let unknown = decoded.map_err(|mismatch| {
            ApiError::bad_request(cannot_be_handled(r, &mismatch.to_string()))
        })?;
        let below_unknown = |path: &&String| {
            let within = |unknown: &String| {
                path.strip_prefix(unknown.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            unknown.iter().any(within)
        };
        let duplicates = writer
            .duplicates
            .iter()
            .filter(|path| !below_unknown(path))
            .map(|path| format!("duplicate field {path:?}"));
        let told = unknown.iter().map(|path| format!("unknown field {path:?}"));
        let noticed: Vec<String> = duplicates.chain(told).collect();
        match writer.validation {
            FieldValidation::Ignore => Ok(Vec::new()),
            FieldValidation::Warn => Ok(noticed),
            FieldValidation::Strict if noticed.is_empty() => Ok(noticed),
            FieldValidation::Strict => {
                let why = format!("strict decoding error: {}", noticed.join(", "));
                Err(ApiError::bad_request(cannot_be_handled(r, &why)))
            }
        }
    }
}

fn cannot_be_handled(r: &Resource, why: &str) -> String {
    format!(
        "{} in version {:?} cannot be handled as a {}: {why}",
        r.kind, r.version, r.kind
    )
}
