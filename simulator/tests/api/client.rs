//! Unmodified `kube` against the served API, in virtual time.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Event, Pod},
    events::v1::Event as EventV1,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, ValidationDirective},
    core::params::PropagationPolicy,
    runtime::{
        Controller, WatchStreamExt,
        controller::Action,
        events::{EventType, Recorder, Reporter},
        reflector, watcher,
    },
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::harness::{World, config_map, in_world, stateful_set};

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn objects_can_be_made_read_changed_and_deleted() {
    in_world(|world| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
        let made = maps
            .create(
                &PostParams::default(),
                &typed(config_map("a", &json!({"k": "1"}))),
            )
            .await
            .unwrap();
        assert_eq!(
            made.creation_timestamp().unwrap().0.to_string(),
            "2026-01-01T00:00:00Z"
        );

        let mut stale = maps.get("a").await.unwrap();
        let patch = json!({"data": {"k": "2"}});
        maps.patch("a", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
        stale.labels_mut().insert("l".to_owned(), "v".to_owned());
        let conflict = maps
            .replace("a", &PostParams::default(), &stale)
            .await
            .unwrap_err();
        assert!(matches!(conflict, kube::Error::Api(status) if status.is_conflict()));

        let listed = maps
            .list(&ListParams::default().fields("metadata.name=a"))
            .await
            .unwrap();
        assert_eq!(listed.items[0].data.as_ref().unwrap()["k"], "2");
        assert!(
            maps.delete("a", &DeleteParams::default())
                .await
                .unwrap()
                .is_right()
        );
        assert!(maps.get_opt("a").await.unwrap().is_none());
    });
}

#[test]
fn server_side_apply_and_strategic_merge_work_through_the_client() {
    in_world(|world| async move {
        let sets: Api<StatefulSet> = Api::default_namespaced(world.client.clone());
        let apply = PatchParams::apply("operator").validation_strict();
        let set = stateful_set("s");
        let first = sets.patch("s", &apply, &Patch::Apply(&set)).await.unwrap();
        let second = sets.patch("s", &apply, &Patch::Apply(&set)).await.unwrap();
        assert_eq!(first.resource_version(), second.resource_version());
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "y:1"}]}}}});
        let patched = sets
            .patch("s", &PatchParams::default(), &Patch::Strategic(&patch))
            .await
            .unwrap();
        let containers = patched.spec.unwrap().template.spec.unwrap().containers;
        assert_eq!(
            (containers.len(), containers[0].image.as_deref()),
            (1, Some("y:1"))
        );
        let scale = sets
            .patch_scale(
                "s",
                &PatchParams::default(),
                &Patch::Merge(json!({"spec": {"replicas": 3}})),
            )
            .await
            .unwrap();
        assert_eq!(scale.spec.unwrap().replicas, Some(3));
        let strict = PatchParams {
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let unknown = sets
            .patch("s", &strict, &Patch::Merge(json!({"spec": {"foo": 1}})))
            .await
            .unwrap_err();
        assert!(unknown.to_string().contains("unknown field"), "{unknown}");
        let foreground = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Foreground),
            ..DeleteParams::default()
        };
        let marked = sets.delete("s", &foreground).await.unwrap().left().unwrap();
        assert_eq!(marked.finalizers(), ["foregroundDeletion"]);
    });
}

#[test]
fn a_watcher_follows_in_both_ways_of_starting() {
    for streaming in [false, true] {
        in_world(|world| async move {
            let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
            let post = PostParams::default();
            maps.create(&post, &typed(config_map("a", &json!({}))))
                .await
                .unwrap();
            let config = watcher::Config::default();
            let config = if streaming {
                config.streaming_lists()
            } else {
                config
            };
            let mut events = watcher(maps.clone(), config).boxed();
            let mut seen = Vec::new();
            while seen.last() != Some(&"ready".to_owned()) {
                seen.push(told(events.try_next().await.unwrap().unwrap()));
            }
            assert_eq!(seen, ["start", "found a", "ready"]);
            maps.create(&post, &typed(config_map("b", &json!({}))))
                .await
                .unwrap();
            assert_eq!(told(events.try_next().await.unwrap().unwrap()), "applied b");
            maps.delete("a", &DeleteParams::default()).await.unwrap();
            assert_eq!(told(events.try_next().await.unwrap().unwrap()), "deleted a");
        });
    }
}

fn told(event: watcher::Event<ConfigMap>) -> String {
    match event {
        watcher::Event::Init => "start".to_owned(),
        watcher::Event::InitApply(map) => format!("found {}", map.name_any()),
        watcher::Event::InitDone => "ready".to_owned(),
        watcher::Event::Apply(map) => format!("applied {}", map.name_any()),
        watcher::Event::Delete(map) => format!("deleted {}", map.name_any()),
    }
}

#[test]
fn a_watcher_that_was_left_behind_by_a_compaction_starts_again() {
    in_world(|world| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
        let config = watcher::Config::default().timeout(10).disable_bookmarks();
        let mut events = watcher(maps.clone(), config).boxed();
        assert_eq!(told(events.try_next().await.unwrap().unwrap()), "start");
        assert_eq!(told(events.try_next().await.unwrap().unwrap()), "ready");
        // The watch ends after ten seconds; before the next begins, its revision is forgotten.
        let pods: Api<Pod> = Api::default_namespaced(world.client.clone());
        let pod = typed(crate::harness::pod("p"));
        pods.create(&PostParams::default(), &pod).await.unwrap();
        let latest = world.api.lock().unwrap().revision();
        world.api.lock().unwrap().compact(latest);
        let mut restarted = false;
        for _ in 0..4 {
            match tokio::time::timeout(Duration::from_secs(60), events.next()).await {
                Ok(Some(Ok(watcher::Event::Init))) => restarted = true,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        assert!(restarted, "the watcher never noticed");
    });
}

#[test]
fn a_reflector_keeps_its_cache_current_over_hours_of_watch_restarts() {
    in_world(|world| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
        let (reader, writer) = reflector::store();
        let stream = watcher(maps.clone(), watcher::Config::default()).default_backoff();
        let task = tokio::spawn(stream.reflect(writer).for_each(|_| async {}));
        reader.wait_until_ready().await.unwrap();
        for hour in 0..4 {
            tokio::time::sleep(Duration::from_hours(1)).await;
            let name = format!("m{hour}");
            maps.create(
                &PostParams::default(),
                &typed(config_map(&name, &json!({}))),
            )
            .await
            .unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(reader.state().len(), hour + 1);
        }
        let lists = calls(&world, "list configmaps");
        assert_eq!(lists, 1, "a watch that ends in peace must not cost a list");
        task.abort();
    });
}

fn calls(world: &World, what: &str) -> u64 {
    let api = world.api.lock().unwrap();
    api.calls()
        .get(&("test".to_owned(), what.to_owned()))
        .copied()
        .unwrap_or(0)
}

#[test]
fn a_controller_reconciles_on_changes_of_what_it_owns() {
    in_world(|world| async move {
        let sets: Api<StatefulSet> = Api::default_namespaced(world.client.clone());
        let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
        let (report, mut reports) = mpsc::unbounded_channel();
        let owned = maps.clone();
        let reconcile = move |set: Arc<StatefulSet>, _| {
            let (maps, report) = (owned.clone(), report.clone());
            async move {
                let owner = set.controller_owner_ref(&()).unwrap();
                let mut map = config_map(&set.name_any(), &json!({"k": "v"}));
                map["metadata"]["ownerReferences"] = json!([owner]);
                let apply = PatchParams::apply("test").force();
                maps.patch(&set.name_any(), &apply, &Patch::Apply(&map))
                    .await?;
                report.send(()).unwrap();
                Ok::<_, kube::Error>(Action::await_change())
            }
        };
        let controller = Controller::new(sets.clone(), watcher::Config::default())
            .owns(maps.clone(), watcher::Config::default())
            .run(
                reconcile,
                |_, _, _| Action::requeue(Duration::from_secs(1)),
                Arc::new(()),
            )
            .for_each(|_| async {});
        let task = tokio::spawn(controller);
        sets.create(&PostParams::default(), &typed(stateful_set("s")))
            .await
            .unwrap();
        reports.recv().await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        while reports.try_recv().is_ok() {}
        // Damage is repaired, and then there is peace.
        maps.delete("s", &DeleteParams::default()).await.unwrap();
        reports.recv().await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(maps.get("s").await.unwrap().data.unwrap()["k"], "v");
        while reports.try_recv().is_ok() {}
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert!(reports.try_recv().is_err(), "reconciled without a change");
        task.abort();
    });
}

#[test]
fn recorded_events_are_seen_through_both_groups() {
    in_world(|world| async move {
        let sets: Api<StatefulSet> = Api::default_namespaced(world.client.clone());
        let set = sets
            .create(&PostParams::default(), &typed(stateful_set("s")))
            .await
            .unwrap();
        let reporter = Reporter {
            controller: "etcd-operator".to_owned(),
            instance: Some("i".to_owned()),
        };
        let recorder = Recorder::new(world.client.clone(), reporter);
        let event = kube::runtime::events::Event {
            type_: EventType::Normal,
            reason: "Scaled".to_owned(),
            note: Some("from 1 to 3".to_owned()),
            action: "Scaling".to_owned(),
            secondary: None,
        };
        for _ in 0..2 {
            recorder
                .publish(&event, &set.object_ref(&()))
                .await
                .unwrap();
        }
        let events: Api<EventV1> = Api::default_namespaced(world.client.clone());
        let found = events
            .list(&ListParams::default().fields("regarding.name=s"))
            .await
            .unwrap();
        assert_eq!(found.items.len(), 1);
        assert_eq!(found.items[0].series.as_ref().unwrap().count, 2);
        let core: Api<Event> = Api::default_namespaced(world.client.clone());
        let found = core
            .list(&ListParams::default().fields("involvedObject.name=s"))
            .await
            .unwrap();
        assert_eq!(found.items[0].message.as_deref(), Some("from 1 to 3"));
    });
}

#[test]
fn each_request_is_one_line_of_the_trace() {
    in_world(|world| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
        maps.get_opt("a").await.unwrap();
        let lines = world.trace.since(0);
        assert_eq!(
            lines
                .iter()
                .map(|line| format!("{} {}", line.who, line.what))
                .collect::<Vec<_>>(),
            ["api GET /api/v1/namespaces/default/configmaps/a by test → 404"]
        );
        assert_eq!(calls(&world, "get configmaps"), 1);
    });
}
