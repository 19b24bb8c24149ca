//! Lists: which objects, at which revision, in which portions.
//!
//! Owns: selectors applied to a collection, `limit` and `continue`, lists at an exact revision.
//! Always holds: all portions of one list show the same revision.
//! Deliberately does not know: the form in which the list is shown.

use std::sync::Arc;

use serde_json::Value;

use super::{
    ApiError, ApiServer, Cause, Resource, metadata, query::Query, render::ListMeta,
    selector::Selector,
};

/// A portion of a list.
pub(super) struct Listed {
    pub(super) objects: Vec<Arc<Value>>,
    pub(super) meta: ListMeta,
}

/// Where a list goes on.
struct Continue {
    revision: u64,
    after: (String, String),
}

impl Continue {
    fn parse(token: &str) -> Result<Self, ApiError> {
        let parse = || {
            let mut parts = token.splitn(3, '|');
            let revision = parts.next()?.parse().ok()?;
            Some(Self {
                revision,
                after: (parts.next()?.to_owned(), parts.next()?.to_owned()),
            })
        };
        parse().ok_or_else(|| {
            ApiError::bad_request("invalid continue token: continue key is not valid: encoded continue token is not valid")
        })
    }
}

impl ApiServer {
    pub(super) fn list_as(
        &self,
        r: &Resource,
        namespace: Option<&str>,
        selector: &Selector,
        query: &Query,
    ) -> Result<Listed, ApiError> {
        let resume = query.get("continue").map(Continue::parse).transpose()?;
        let (revision, objects) = match &resume {
            Some(resume) => (
                resume.revision,
                self.objects_at(r, namespace, resume.revision, true)?,
            ),
            None => self.objects_for(r, namespace, query)?,
        };
        let passed = |object: &Arc<Value>| {
            resume
                .as_ref()
                .is_some_and(|resume| place(object) <= resume.after)
        };
        let mut objects: Vec<Arc<Value>> = objects
            .into_iter()
            .filter(|object| !passed(object) && selector.matches(object))
            .collect();
        let limit = query
            .number("limit")?
            .and_then(|limit| usize::try_from(limit).ok());
        let mut meta = ListMeta {
            revision,
            ..ListMeta::default()
        };
        if let Some(limit) = limit.filter(|limit| *limit > 0 && *limit < objects.len()) {
            let (namespace, name) = place(&objects[limit - 1]);
            meta.next = Some(format!("{revision}|{namespace}|{name}"));
            // With a selector a real server does not count what it has not looked at.
            meta.remaining = selector.is_empty().then(|| objects.len() - limit);
            objects.truncate(limit);
        }
        Ok(Listed { objects, meta })
    }

    fn objects_for(
        &self,
        r: &Resource,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<(u64, Vec<Arc<Value>>), ApiError> {
        let current = self.store.revision();
        let asked = query.revision()?.unwrap_or(0);
        match query.get("resourceVersionMatch") {
            Some(_) if query.get("resourceVersion").is_none() => {
                let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                Err(refuse_match(why))
            }
            Some("Exact") if asked == 0 => {
                let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                Err(refuse_match(why))
            }
            Some("Exact") => Ok((asked, self.objects_at(r, namespace, asked, false)?)),
            // Without a match rule, a limit makes an old revision exact.
            None if asked > 0 && query.number("limit")?.is_some_and(|limit| limit > 0) => {
                Ok((asked, self.objects_at(r, namespace, asked, false)?))
            }
            _ if asked > current => Err(too_large(asked, current)),
            _ => Ok((
                current,
                self.store.list(&r.id, namespace).cloned().collect(),
            )),
        }
    }

    fn objects_at(
        &self,
        r: &Resource,
        namespace: Option<&str>,
        revision: u64,
        resumed: bool,
    ) -> Result<Vec<Arc<Value>>, ApiError> {
        let current = self.store.revision();
        if revision > current {
            return Err(too_large(revision, current));
        }
        self.store.list_at(&r.id, namespace, revision).ok_or_else(|| {
            let why = if resumed {
                "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list."
            } else {
                "The resourceVersion for the provided list is too old."
            };
            ApiError::expired(why)
        })
    }
}

/// Options of a list or watch that contradict each other.
pub(super) fn forbidden_match(why: &str) -> Cause {
    Cause::forbidden("resourceVersionMatch", why)
}

fn refuse_match(why: &str) -> ApiError {
    ApiError::invalid_options("ListOptions", &[forbidden_match(why)])
}

/// The server has not come that far.
pub(super) fn too_large(asked: u64, current: u64) -> ApiError {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    ApiError::new(504, "Timeout", message).with_details(serde_json::json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }))
}

fn place(object: &Value) -> (String, String) {
    (
        metadata::namespace(object).to_owned(),
        metadata::name(object).to_owned(),
    )
}
