//! The containers of a running pod: starting, restarting, probing and killing them.
//!
//! Owns: what follows from an exit and from a probe's verdict.
//! Always holds: a container is started again only if its pod's policy says so, and after its pause.
//! Deliberately does not know: volumes and sandboxes beyond what a start needs.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    container::{Blocked, State},
    environment,
    hands::Hands,
    pod::{PodWorker, RETRY, Stage, kills},
    probe::Purpose,
    status::Cause,
    termination, volumes,
};
use crate::kubernetes::{
    controllers::object::Meta,
    runtime::{Container, ContainerId, Signal, StartFailed},
};

impl PodWorker {
    /// Does one thing that is due in a container. Gives whether there was one.
    pub(super) fn step_containers(&mut self, hands: &mut Hands) -> bool {
        let now = hands.now();
        for index in 0..self.containers.len() {
            let container = &mut self.containers[index];
            if container.start_at.is_some_and(|at| at <= now) {
                container.start_at = None;
                self.start(index, hands);
                return true;
            }
            if container.kill_at.is_some_and(|at| at <= now) {
                container.kill_at = None;
                if let Some(id) = container.running() {
                    hands.runtime.signal(id, Signal::Kill);
                }
                return true;
            }
            if self.probe(index, hands) {
                return true;
            }
        }
        false
    }

    /// Decides for every container that was seen to have ended, or could not be started.
    pub(super) fn revive(&mut self, hands: &mut Hands) {
        let policy = self.pod["spec"]["restartPolicy"]
            .as_str()
            .unwrap_or("Always")
            .to_owned();
        let mut ended = 0;
        for index in 0..self.containers.len() {
            let container = &self.containers[index];
            let stuck = container.blocked.is_some() && container.state == State::Fresh;
            if stuck && container.start_at.is_none() {
                self.retry(index, hands);
                continue;
            }
            let Some(end) = container.seen_end() else {
                continue;
            };
            let restart = match policy.as_str() {
                "Never" => false,
                "OnFailure" => end.code != 0,
                _ => true,
            };
            if !restart {
                ended += 1;
            } else if container.start_at.is_none() {
                self.restart(index, end.finished, hands);
            }
        }
        if ended > 0 && ended == self.containers.len() {
            self.finish(hands);
        }
    }

    fn restart(&mut self, index: usize, failed: Timestamp, hands: &mut Hands) {
        let now = hands.now();
        let (namespace, name, uid) = (self.pod.namespace(), self.pod.name(), self.pod.uid());
        let full = format!("{name}_{namespace}({uid})");
        let container = &mut self.containers[index];
        let Some(pause) = container.crash.pause(failed, now) else {
            container.crash.lengthen(failed, now);
            container.start_at = Some(hands.after(hands.timings.container_start));
            return;
        };
        // What is found here is shown by the next pass only, as on a real node, where the status
        // is written before containers are started.
        container.look(now);
        let name = &container.name;
        let message = format!("Back-off restarting failed container {name} in pod {full}");
        let event = ("Warning", "BackOff");
        hands
            .cluster
            .container_event(&self.pod, name, event, &message);
        let pause = spelled(pause);
        container.blocked = Some(Blocked {
            reason: "CrashLoopBackOff".to_owned(),
            message: format!("back-off {pause} restarting failed container={name} pod={full}"),
        });
    }

    /// Tries again what could not be started at all.
    fn retry(&mut self, index: usize, hands: &mut Hands) {
        let now = hands.now();
        let container = &mut self.containers[index];
        container.look(now);
        let Some(failed) = container.pull_failed else {
            container.start_at = container.retry_at.filter(|at| *at <= now);
            return;
        };
        if container.pull.pause(failed, now).is_none() {
            container.start_at = Some(now);
            return;
        }
        let image = self.pod.items("/spec/containers")[index].text("/image");
        let message = format!("Back-off pulling image {image:?}");
        let name = &container.name;
        let warn = |reason| ("Warning", reason);
        hands
            .cluster
            .container_event(&self.pod, name, ("Normal", "BackOff"), &message);
        hands
            .cluster
            .container_event(&self.pod, name, warn("Failed"), "Error: ImagePullBackOff");
        container.blocked = Some(Blocked {
            reason: "ImagePullBackOff".to_owned(),
            message,
        });
    }

    fn start(&mut self, index: usize, hands: &mut Hands) {
        if self.stage != Stage::Running || self.is_ending() {
            return;
        }
        let now = hands.now();
        let spec = self.pod.items("/spec/containers")[index].clone();
        let container = match self.prepared(&spec, hands) {
            Ok(container) => container,
            Err(why) => return self.blocked(index, "CreateContainerConfigError", why, hands),
        };
        match hands.runtime.start(self.pod.uid(), &container) {
            Ok(id) => {
                let image = &container.image;
                let name = &container.name;
                let present = format!("Container image {image:?} already present on machine");
                for (reason, message) in [
                    ("Pulled", present),
                    ("Created", format!("Created container: {name}")),
                    ("Started", format!("Started container {name}")),
                ] {
                    let event = ("Normal", reason);
                    hands
                        .cluster
                        .container_event(&self.pod, name, event, &message);
                }
                let key = (self.pod.namespace(), self.pod.name());
                hands
                    .cluster
                    .note(format_args!("start {}/{} {name}", key.0, key.1));
                self.containers[index].began(id, now);
                self.relist_at = Some(hands.next_relist());
            }
            Err(failed) => self.start_failed(index, &container.image, failed, hands),
        }
    }

    fn prepared(&self, spec: &Value, hands: &Hands) -> Result<Container, String> {
        let api = hands.cluster.api();
        let env = environment::variables(api, &self.pod, spec, &self.place(hands))
            .map_err(|why| why.to_string())?;
        Ok(Container {
            name: spec.text("/name").to_owned(),
            image: spec.text("/image").to_owned(),
            command: environment::words(spec, "command", &env),
            args: environment::words(spec, "args", &env),
            mounts: volumes::mounts(spec, &self.volumes)?,
            env,
        })
    }

    fn start_failed(&mut self, index: usize, image: &str, failed: StartFailed, hands: &mut Hands) {
        if failed.reason != "ErrImagePull" {
            return self.blocked(index, &failed.reason, failed.message, hands);
        }
        let now = hands.now();
        let container = &mut self.containers[index];
        container.pull.lengthen(now, now);
        container.pull_failed = Some(now);
        let name = container.name.clone();
        let pulling = format!("Pulling image {image:?}");
        hands
            .cluster
            .container_event(&self.pod, &name, ("Normal", "Pulling"), &pulling);
        let message = format!("Failed to pull image {image:?}: {}", failed.message);
        hands
            .cluster
            .container_event(&self.pod, &name, ("Warning", "Failed"), &message);
        let error = "Error: ErrImagePull".to_owned();
        hands
            .cluster
            .container_event(&self.pod, &name, ("Warning", "Failed"), &error);
        self.containers[index].blocked = Some(Blocked {
            reason: failed.reason,
            message: failed.message,
        });
        self.retry_at(index, hands);
        self.relist_at = Some(hands.next_relist());
    }

    fn blocked(&mut self, index: usize, reason: &str, message: String, hands: &mut Hands) {
        let container = &mut self.containers[index];
        let text = format!("Error: {message}");
        let event = ("Warning", "Failed");
        hands
            .cluster
            .container_event(&self.pod, &container.name, event, &text);
        container.blocked = Some(Blocked {
            reason: reason.to_owned(),
            message,
        });
        self.retry_at(index, hands);
        self.relist_at = Some(hands.next_relist());
    }

    /// Another attempt comes with a later pass over the pod.
    fn retry_at(&mut self, index: usize, hands: &mut Hands) {
        let at = hands.after(RETRY);
        self.containers[index].retry_at = Some(at);
        self.changed(at);
    }

    fn probe(&mut self, index: usize, hands: &mut Hands) -> bool {
        let now = hands.now();
        let ending = self.is_ending();
        let container = &mut self.containers[index];
        let Some(target) = container.target(ending) else {
            return false;
        };
        for probe in &mut container.probes {
            if probe.next().is_none_or(|at| at > now) {
                continue;
            }
            if probe.begin(target, *hands.token, now) {
                hands
                    .runtime
                    .probe(target.container, &probe.settings.http, *hands.token);
                *hands.token += 1;
            }
            return true;
        }
        false
    }

    /// A container's process has ended.
    pub(super) fn exited(
        &mut self,
        id: ContainerId,
        code: i32,
        cause: Cause,
        at: Timestamp,
        hands: &mut Hands,
    ) {
        let Some(index) = self.container(id) else {
            return;
        };
        let key = (self.pod.namespace(), self.pod.name());
        let spec = &self.pod.items("/spec/containers")[index];
        let message = termination::message(spec, code, || hands.runtime.logs(id));
        let container = &mut self.containers[index];
        hands.cluster.note(format_args!(
            "exit {code} of {}/{} {}",
            key.0, key.1, container.name
        ));
        let asked = container.stopping;
        container.ended(code, cause, message, at);
        if asked {
            container.look(hands.now());
            self.sync_at = Some(hands.now());
        } else {
            self.relist_at = Some(hands.next_relist());
        }
        self.finish_stop(hands);
    }

    /// A probe attempt has ended.
    pub(super) fn probed(
        &mut self,
        id: ContainerId,
        token: u64,
        result: &Result<u16, String>,
        hands: &mut Hands,
    ) {
        let Some(index) = self.container(id) else {
            return;
        };
        let place = self.place(hands);
        let container = &mut self.containers[index];
        let Some(probe) = container
            .probes
            .iter_mut()
            .find(|probe| probe.is_waiting_for(token))
        else {
            return;
        };
        let purpose = probe.purpose;
        let success = matches!(result, Ok(200..400));
        let verdict = probe.end(token, success);
        if !success {
            let http = &probe.settings.http;
            let url = format!("http://{}:{}{}", place.pod_ip, http.port, http.path);
            let output = match result {
                Ok(code) => format!("HTTP probe failed with statuscode: {code}"),
                Err(why) => format!("Get {url:?}: {why}"),
            };
            let message = format!("{} probe failed: {output}", purpose.title());
            let event = ("Warning", "Unhealthy");
            hands
                .cluster
                .container_event(&self.pod, &container.name, event, &message);
        }
        let grace = probe.settings.grace;
        match verdict {
            Some(false) if kills(purpose) => self.kill(index, id, purpose, grace, hands),
            Some(_) => self.sync_at = Some(hands.now()),
            None => {}
        }
    }

    fn kill(
        &mut self,
        index: usize,
        id: ContainerId,
        purpose: Purpose,
        grace: Option<i64>,
        hands: &mut Hands,
    ) {
        if self.is_ending() {
            return;
        }
        let again = match self.pod["spec"]["restartPolicy"].as_str() {
            Some("Never") => "",
            _ => ", will be restarted",
        };
        let grace = grace.map_or_else(|| self.grace(), SignedDuration::from_secs);
        let container = &mut self.containers[index];
        let probe = purpose.title().to_lowercase();
        let message = format!("Container {} failed {probe} probe{again}", container.name);
        let event = ("Normal", "Killing");
        hands
            .cluster
            .container_event(&self.pod, &container.name, event, &message);
        super::signal(hands, &self.pod, container, id);
        container.kill_at = Some(hands.now() + grace);
    }
}

/// A pause as Go spells durations: `10s`, `1m20s`, `5m0s`.
fn spelled(pause: SignedDuration) -> String {
    let seconds = pause.as_secs();
    if seconds < 60 {
        format!("{seconds}s")
    } else {
        format!("{}m{}s", seconds / 60, seconds % 60)
    }
}
