//! Reviews: questions that are posted like objects, and answered at once.
//!
//! Owns: who the caller is and what it may do.
//! Always holds: nothing is stored. Everybody is the administrator and may do everything: roles are
//! stored, and not enforced.
//! Deliberately does not know: roles and bindings.

use http::Method;
use serde_json::{Value, json};

use super::{ApiError, ApiServer, answer::Reply, json, rest::Call};

impl ApiServer {
    /// The answer when the path is that of a review; `None` when it is not.
    pub(super) fn answer_review(&self, call: &Call, path: &str) -> Result<Option<Reply>, ApiError> {
        let (kind, status) = match path {
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => (
                "SelfSubjectAccessReview",
                json!({"allowed": true, "reason": "not modelled: everybody may do everything"}),
            ),
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => {
                ("SelfSubjectRulesReview", rules())
            }
            "/apis/authentication.k8s.io/v1/selfsubjectreviews" => (
                "SelfSubjectReview",
                json!({"userInfo": {
                    "username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"],
                }}),
            ),
            _ => return Ok(None),
        };
        if call.request.method() != Method::POST {
            return Err(ApiError::method_not_allowed());
        }
        let mut review = json::parse(call.request.body(), call.media_type(), kind)?.value;
        if !review.is_object() {
            review = json!({});
        }
        let group = path.split('/').nth(2).unwrap_or_default();
        review["apiVersion"] = format!("{group}/v1").into();
        review["kind"] = kind.into();
        review["status"] = status;
        Ok(Some(Reply::json(201, &review)))
    }
}

fn rules() -> Value {
    json!({
        "incomplete": false, "nonResourceRules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}],
        "resourceRules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::kubernetes::api::{Answer, Request};

    #[test]
    fn everybody_may_do_everything_and_nothing_is_stored() {
        let mut api = ApiServer::new(1);
        let before = api.revision();
        let question =
            json!({"spec": {"resourceAttributes": {"verb": "delete", "resource": "pods"}}});
        let request: Request =
            http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
                .body(question.to_string().into())
                .expect("a valid request");
        let Answer::Reply(reply) = api.handle(Timestamp::UNIX_EPOCH, &request) else {
            panic!("a review is answered at once");
        };
        assert_eq!(reply.code, 201);
        assert_eq!(reply.value()["status"]["allowed"], true);
        assert_eq!(api.revision(), before);
    }
}
