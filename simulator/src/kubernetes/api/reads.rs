//! The verbs that read: get, list, watch, and a container's log.
//!
//! Owns: the parameters of these verbs.
//! Always holds: nothing is changed.
//! Deliberately does not know: how lists are cut and watches go on; see `list` and `watch`.

use jiff::SignedDuration;
use rand::Rng;

use super::{
    ApiError, ApiServer, Cause,
    answer::{Answer, Reply},
    list::forbidden_match,
    query::Query,
    rest::{Call, Target},
    selector::Selector,
    views,
    watch::{Start, Watch},
};

/// A watch without a time-out ends after half an hour to an hour, at random.
const DEFAULT_TIMEOUT: std::ops::Range<i64> = 1800..3600;

/// Which log of which pod is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// Whether the container before the last restart is meant.
    pub previous: bool,
}

/// Gives the lines that a container has printed.
pub type LogSource = Box<dyn Fn(&LogRequest) -> Result<Vec<String>, ApiError> + Send>;

impl ApiServer {
    pub(super) fn get_as(&self, call: &Call, target: &Target) -> Result<Answer, ApiError> {
        let stored = self
            .store
            .get(&target.r.id, target.namespace(), target.name())
            .ok_or_else(|| ApiError::not_found(&target.r, target.name()))?;
        let shown = views::outward(&target.r, stored);
        let body = self.renderer(call, &target.r)?.object(call.now, &shown);
        Ok(Reply::raw(200, "application/json", body).into())
    }

    pub(super) fn answer_list(&self, call: &Call, target: &Target) -> Result<Answer, ApiError> {
        let renderer = self.renderer(call, &target.r)?;
        let selector = self.selector(&call.query, target)?;
        let listed = self.list_as(
            &target.r,
            target.namespace.as_deref(),
            &selector,
            &call.query,
        )?;
        let shown: Vec<_> = listed
            .objects
            .iter()
            .map(|stored| views::outward(&target.r, stored))
            .collect();
        let objects = shown.iter().map(std::convert::AsRef::as_ref);
        let body = renderer.list(call.now, &target.r, &listed.meta, objects);
        Ok(Reply::raw(200, "application/json", body).into())
    }

    pub(super) fn answer_watch(
        &mut self,
        call: &Call,
        target: &Target,
    ) -> Result<Answer, ApiError> {
        let renderer = self.renderer(call, &target.r)?;
        let selector = self.selector(&call.query, target)?;
        let (start, cursor) = self.start_of_watch(&call.query)?;
        let asked = call.query.number("timeoutSeconds")?;
        let timeout = match asked.filter(|seconds| *seconds > 0) {
            Some(seconds) => seconds,
            None => self.rng.random_range(DEFAULT_TIMEOUT),
        };
        let watch = Watch {
            resource: std::sync::Arc::clone(&target.r),
            namespace: target.namespace.clone(),
            selector,
            renderer,
            bookmarks: call.query.flag("allowWatchBookmarks"),
            start,
            cursor,
            ends: call.now,
            next_bookmark: call.now,
            over: false,
        };
        let timeout = SignedDuration::from_secs(timeout.min(i64::from(u32::MAX)));
        Ok(Answer::Watch(Box::new(Watch::begin(
            call.now, timeout, watch,
        ))))
    }

    fn start_of_watch(&self, query: &Query) -> Result<(Start, u64), ApiError> {
        let asked = query.revision().map_err(|refusal| {
            // A watch tells it as a failure of the server.
            let why = refusal
                .message
                .trim_start_matches("invalid resource version: ");
            ApiError::new(500, "", why)
        })?;
        let asked = asked.unwrap_or(0);
        let current = self.store.revision();
        let matching = query.get("resourceVersionMatch");
        let refuse = |causes: &[Cause]| Err(ApiError::invalid_options("ListOptions", causes));
        if query.flag("sendInitialEvents") {
            if matching != Some("NotOlderThan") {
                let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                return refuse(&[forbidden_match(why)]);
            }
            return Ok((Start::StateThenMark, asked));
        }
        if let Some(matching) = matching {
            let why =
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            let mut causes = vec![forbidden_match(why)];
            if matching != "NotOlderThan" {
                let known = ["NotOlderThan"];
                causes.push(Cause::unsupported("resourceVersionMatch", matching, &known));
            }
            return refuse(&causes);
        }

        Ok(if asked == 0 {
            (Start::State, current)
        } else {
            (Start::Changes, asked)
        })
    }

    pub(super) fn selector(&self, query: &Query, target: &Target) -> Result<Selector, ApiError> {
        let selectable = self
            .registry
            .custom(&target.r)
            .map(|version| &version.selectable[..]);
        Selector::parse(
            &target.r,
            selectable.unwrap_or_default(),
            query.get("labelSelector"),
            query.get("fieldSelector"),
        )
    }

    /// Sets where the logs of containers come from.
    pub fn set_log_source(&mut self, source: LogSource) {
        self.logs = Some(source);
    }

    pub(super) fn answer_log(&self, call: &Call, target: &Target) -> Result<Answer, ApiError> {
        let pod = self
            .store
            .get("pods", target.namespace(), target.name())
            .ok_or_else(|| ApiError::not_found(&target.r, target.name()))?;
        let containers: Vec<&str> = ["containers", "initContainers"]
            .iter()
            .flat_map(|list| pod["spec"][*list].as_array().into_iter().flatten())
            .filter_map(|container| container["name"].as_str())
            .collect();
        let container = match (call.query.get("container"), containers.as_slice()) {
            (Some(named), known) if known.contains(&named) => named,
            (Some(named), _) => {
                let why = format!("container {named} is not valid for pod {}", target.name());
                return Err(ApiError::bad_request(why));
            }
            (None, [only]) => only,
            (None, known) => {
                let why = format!(
                    "a container name must be specified for pod {}, choose one of: [{}]",
                    target.name(),
                    known.join(" ")
                );
                return Err(ApiError::bad_request(why));
            }
        };
        let source = self.logs.as_ref().ok_or_else(|| {
            ApiError::not_modelled("pods/log: this world has no source of container logs")
        })?;
        if call.query.flag("follow") {
            return Err(ApiError::not_modelled("following a log; ask without -f"));
        }
        let mut lines = source(&LogRequest {
            namespace: target.namespace().to_owned(),
            pod: target.name().to_owned(),
            container: container.to_owned(),
            previous: call.query.flag("previous"),
        })?;
        if let Some(tail) = call.query.number("tailLines")? {
            let tail = usize::try_from(tail).unwrap_or(usize::MAX);
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        Ok(Reply::raw(200, "text/plain", text.into()).into())
    }
}
