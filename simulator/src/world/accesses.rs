//! What a client has asked of the API server, as RBAC sees it.
//!
//! Owns: verbs, groups and resources of requests.
//! Always holds: a request is judged as the real authorizer does, by its path and method; an apply
//! that makes an object needs `create` besides `patch`.
//! Deliberately does not know: who may do what.

use http::{Method, StatusCode, Uri};

/// One kind of access.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// get, list, watch, create, update, patch, delete, deletecollection.
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: String,
    /// Resource, with its subresource if one is asked for: `etcdclusters/status`.
    pub resource: String,
    /// The namespace, or None when all of them are asked for.
    pub namespace: Option<String>,
}

impl Access {
    /// What a request asks for; None when it is not about resources.
    pub(super) fn asked(method: &Method, uri: &Uri) -> Option<Self> {
        let path = Path::parse(uri.path())?;
        let query = uri.query().unwrap_or_default();
        let watches = query
            .split('&')
            .any(|pair| pair == "watch=true" || pair == "watch=1");
        let verb = match (method.as_str(), path.named) {
            ("GET", _) if watches => "watch",
            ("GET", true) => "get",
            ("GET", false) => "list",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "delete",
            ("DELETE", false) => "deletecollection",
            _ => return None,
        };
        Some(Self {
            verb,
            group: path.group,
            resource: path.resource,
            namespace: path.namespace,
        })
    }

    /// What the answer shows that the request needed besides.
    pub(super) fn answered(&self, code: StatusCode) -> Option<Self> {
        (self.verb == "patch" && code == StatusCode::CREATED).then(|| Self {
            verb: "create",
            ..self.clone()
        })
    }
}

struct Path {
    group: String,
    resource: String,
    namespace: Option<String>,
    named: bool,
}

impl Path {
    fn parse(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        let (group, rest) = match segments.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let resource = match rest {
            [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
            [resource, ..] => (*resource).to_owned(),
            [] => return None,
        };
        Some(Self {
            group: group.to_owned(),
            resource,
            namespace: namespace.map(str::to_owned),
            named: rest.len() > 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(method: Method, uri: &'static str) -> String {
        let access = Access::asked(&method, &Uri::from_static(uri)).unwrap();
        format!("{} {}.{}", access.verb, access.resource, access.group)
    }

    #[test]
    fn requests_are_named_as_roles_name_them() {
        let sets = "/apis/apps/v1/namespaces/a/statefulsets";
        assert_eq!(access(Method::POST, sets), "create statefulsets.apps");
        assert_eq!(access(Method::GET, sets), "list statefulsets.apps");
        assert_eq!(
            access(Method::DELETE, sets),
            "deletecollection statefulsets.apps"
        );
        for (method, uri, expected) in [
            (Method::GET, "/api/v1/pods?watch=1&limit=5", "watch pods."),
            (Method::GET, "/api/v1/namespaces/a/pods/b", "get pods."),
            (Method::GET, "/api/v1/namespaces/a", "get namespaces."),
            (
                Method::PATCH,
                "/apis/etcd.etcd.io/v1alpha1/namespaces/a/etcdclusters/b/status",
                "patch etcdclusters/status.etcd.etcd.io",
            ),
        ] {
            assert_eq!(access(method, uri), expected);
        }
    }

    #[test]
    fn an_apply_that_creates_needs_create() {
        let uri = Uri::from_static("/api/v1/namespaces/a/configmaps/b");
        let patch = Access::asked(&Method::PATCH, &uri).unwrap();
        assert_eq!(patch.answered(StatusCode::OK), None);
        assert_eq!(patch.answered(StatusCode::CREATED).unwrap().verb, "create");
    }
}
