//! What the server says about itself: version, health, and where its descriptions are.
//!
//! Owns: the paths that name no resource.
//! Always holds: these answers depend on the served resources only, never on objects.
//! Deliberately does not know: the shape of discovery and OpenAPI documents.

use http::Method;
use serde_json::{Value, json};

use super::{
    ApiError, ApiServer,
    answer::{Reply, encode},
    rest::Call,
};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

impl ApiServer {
    /// The answer when the path names no resource; `None` when it does.
    pub(super) fn about_itself(&self, call: &Call, path: &str) -> Result<Option<Reply>, ApiError> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let aggregated = wants_aggregated(call.header("accept"));
        let answer = match segments.as_slice() {
            ["version"] => Reply::json(200, &version()),
            ["healthz" | "livez" | "readyz", ..] => Reply::text(200, "ok"),
            [""] => Reply::json(
                200,
                &json!({"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]}),
            ),
            ["api"] if aggregated => self.aggregated(true),
            ["apis"] if aggregated => self.aggregated(false),
            ["api"] => Reply::json(
                200,
                &json!({
                    "kind": "APIVersions", "versions": ["v1"],
                    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "kubernetes"}],
                }),
            ),
            ["apis"] => Reply::json(200, &self.group_list()),
            ["apis", group] => Reply::json(200, &self.group(group).ok_or_else(page_not_found)?),
            ["api", version] => Reply::json(200, &self.resource_list("", version)?),
            ["apis", group, version] => Reply::json(200, &self.resource_list(group, version)?),
            ["openapi", "v3"] => Reply::json(200, &self.openapi_index()),
            ["openapi", "v3", "api", version] => self.openapi_document("", version)?,
            ["openapi", "v3", "apis", group, version] => self.openapi_document(group, version)?,
            ["api" | "apis", ..] => return Ok(None),
            _ => return Err(page_not_found()),
        };
        if call.request.method() != Method::GET && call.request.method() != Method::HEAD {
            return Err(ApiError::method_not_allowed());
        }
        Ok(Some(answer))
    }

    fn aggregated(&self, core: bool) -> Reply {
        Reply::raw(200, AGGREGATED, encode(&self.aggregated_discovery(core)))
    }
}

fn wants_aggregated(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let parts: Vec<&str> = range.split(';').map(str::trim).collect();
        ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"]
            .iter()
            .all(|part| parts.contains(part))
    })
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitCommit": "simulated",
        "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z", "goVersion": "none",
        "compiler": "rustc", "platform": "simulated",
        "emulationMajor": "1", "emulationMinor": "34",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
    })
}

/// A path that nothing on the server handles.
pub(super) fn page_not_found() -> ApiError {
    ApiError::new(404, "", "404 page not found")
}
