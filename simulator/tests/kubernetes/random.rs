//! Random scripts about Kubernetes objects.
//!
//! Owns: the vocabulary of random scripts, kind by kind.
//! Deliberately does not know: how scripts are played, compared and shrunk.

use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    real::Server,
    simulated,
    two_arms::random::{self, Arms},
};

fn compare(kind: &str, scripts: impl Strategy<Value = Vec<String>>) {
    let server = Server::asked_for();
    let arms = Arms {
        version: server
            .as_ref()
            .map_or("simulated", Server::version)
            .to_owned(),
        real: server
            .as_ref()
            .map(|server| -> random::Play<'_> { Box::new(|script| server.play(script)) }),
        simulated: Box::new(simulated::play),
    };
    random::compare(kind, scripts, &[], &[arms]);
}

/// A template whose capital words are filled in from these.
const WORDS: &[(&str, &[&str])] = &[
    ("NAME", &["a", "b", "c"]),
    ("MANAGER", &["one", "two"]),
    ("KEY", &["x", "y", "z"]),
    ("VALUE", &["1", "2"]),
    ("FORCE", &["", "&force=true"]),
    ("DRY", &["", "", "", "dryRun=All"]),
    (
        "FINALIZERS",
        &[
            "[]",
            "null",
            r#"["lab.dev/p"]"#,
            r#"["lab.dev/p","lab.dev/q"]"#,
        ],
    ),
    (
        "PROPAGATION",
        &[
            "",
            "?propagationPolicy=Background",
            "?propagationPolicy=Foreground",
            "?propagationPolicy=Orphan",
        ],
    ),
    (
        "SELECTOR",
        &[
            "x%3D1",
            "x!%3D1",
            "x",
            "!x",
            "x%20in%20(1,2)",
            "x%20notin%20(1),y",
            "x%3D1,y%3D2",
        ],
    ),
    (
        "FIELD",
        &[
            "metadata.name%3Da",
            "metadata.name!%3Da",
            "metadata.name%3Da,metadata.name%3Db",
        ],
    ),
    ("LIMIT", &["1", "2"]),
    ("COUNT", &["0", "1", "3"]),
];

/// Fills every capital word of a template by chance.
fn line(template: &'static str) -> BoxedStrategy<String> {
    let mut strategy = Just(template.to_owned()).boxed();
    for (word, values) in WORDS {
        for _ in 0..template.matches(word).count() {
            strategy = (strategy, select(*values))
                .prop_map(move |(line, value)| line.replacen(word, value, 1))
                .boxed();
        }
    }
    strategy
}

fn script(
    templates: &'static [&'static str],
    longest: usize,
) -> impl Strategy<Value = Vec<String>> {
    vec(select(templates).prop_flat_map(line), 1..longest)
}

const CONFIG_MAPS: &[&str] = &[
    r#"POST configmaps?DRY {"metadata":{"name":"NAME","labels":{"KEY":"VALUE"}},"data":{"KEY":"VALUE"}}"#,
    r#"POST configmaps {"metadata":{"name":"NAME","finalizers":FINALIZERS,"labels":{"KEY":"VALUE"}}}"#,
    r#"POST configmaps {"metadata":{"name":"NAME"},"data":{"KEY":"VALUE"},"immutable":true}"#,
    r#"PUT configmaps/NAME?DRY {"metadata":{"name":"NAME"},"data":{"KEY":"VALUE"}}"#,
    r#"PUT configmaps/NAME {"metadata":{"name":"NAME","resourceVersion":"<rv NAME>","labels":{"KEY":"VALUE"}},"data":{"KEY":"VALUE"}}"#,
    r#"PATCH configmaps/NAME?DRY as merge {"data":{"KEY":"VALUE","KEY":null}}"#,
    r#"PATCH configmaps/NAME as merge {"metadata":{"labels":{"KEY":"VALUE","KEY":null}}}"#,
    r#"PATCH configmaps/NAME as merge {"metadata":{"finalizers":FINALIZERS}}"#,
    r#"PATCH configmaps/NAME as merge {"metadata":{"resourceVersion":"<rv NAME>"},"data":{"KEY":"VALUE"}}"#,
    r#"PATCH configmaps/NAME as strategic {"metadata":{"finalizers":FINALIZERS},"data":{"KEY":"VALUE"}}"#,
    r#"PATCH configmaps/NAME as json [{"op":"add","path":"/data/KEY","value":"VALUE"}]"#,
    r#"PATCH configmaps/NAME as json [{"op":"test","path":"/data/KEY","value":"VALUE"},{"op":"remove","path":"/data/KEY"}]"#,
    r#"PATCH configmaps/NAME as json [{"op":"copy","from":"/data/KEY","path":"/data/KEY"}]"#,
    r#"PATCH configmaps/NAME as json [{"op":"move","from":"/data/KEY","path":"/data/w"},{"op":"replace","path":"/data/KEY","value":"VALUE"}]"#,
    r#"PATCH configmaps/NAME?fieldManager=MANAGERFORCE as apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"data":{"KEY":"VALUE"}}"#,
    r#"PATCH configmaps/NAME?fieldManager=MANAGERFORCE as apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME","labels":{"KEY":"VALUE"}},"data":{"KEY":"VALUE"}}"#,
    r#"PATCH configmaps/NAME?fieldManager=MANAGER as apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME","finalizers":FINALIZERS}}"#,
    r#"PATCH configmaps/NAME?fieldManager=MANAGER as apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"}}"#,
    "DELETE configmaps/NAMEPROPAGATION",
    r#"DELETE configmaps/NAME?DRY {"preconditions":{"uid":"<uid NAME>"}}"#,
    r#"DELETE configmaps/NAME {"preconditions":{"resourceVersion":"<rv NAME>"}}"#,
    "DELETE configmaps?labelSelector=SELECTOR",
    "GET configmaps/NAME",
    "GET configmaps",
    "GET configmaps?labelSelector=SELECTOR",
    "GET configmaps?fieldSelector=FIELD",
    "GET configmaps?limit=LIMIT",
    "GET configmaps?limit=LIMIT&continue=<continue>",
    "GET configmaps?limit=LIMIT&labelSelector=SELECTOR",
];

const WATCHED: &[&str] = &[
    r#"POST configmaps {"metadata":{"name":"NAME","labels":{"KEY":"VALUE"}},"data":{"KEY":"VALUE"}}"#,
    r#"POST configmaps {"metadata":{"name":"NAME","finalizers":FINALIZERS,"labels":{"KEY":"VALUE"}}}"#,
    r#"PATCH configmaps/NAME as merge {"metadata":{"labels":{"KEY":"VALUE","KEY":null}}}"#,
    r#"PATCH configmaps/NAME as merge {"metadata":{"finalizers":FINALIZERS}}"#,
    "DELETE configmaps/NAME",
    "DELETE configmaps?labelSelector=SELECTOR",
    "GET configmaps",
];

const SETS: &[&str] = &[
    r#"POST statefulsets {"metadata":{"name":"NAME"},"spec":{"serviceName":"s","replicas":COUNT,"selector":{"matchLabels":{"app":"s"}},"template":{"metadata":{"labels":{"app":"s"}},"spec":{"containers":[{"name":"c","image":"x:VALUE"}]}}}}"#,
    r#"POST statefulsets {"metadata":{"name":"NAME"},"spec":{"serviceName":"s","podManagementPolicy":"Parallel","updateStrategy":{"type":"OnDelete"},"selector":{"matchLabels":{"app":"s"}},"template":{"metadata":{"labels":{"app":"s"}},"spec":{"containers":[{"name":"c","image":"x:VALUE","env":[{"name":"KEY","value":"VALUE"}]}]}}}}"#,
    "GET statefulsets/NAME/scale",
    r#"PUT statefulsets/NAME/scale {"metadata":{"name":"NAME"},"spec":{"replicas":COUNT}}"#,
    r#"PATCH statefulsets/NAME/scale as merge {"spec":{"replicas":COUNT}}"#,
    r#"PATCH statefulsets/NAME as merge {"spec":{"replicas":COUNT}}"#,
    r#"PATCH statefulsets/NAME as merge {"spec":{"serviceName":"KEY"}}"#,
    r#"PATCH statefulsets/NAME as merge {"spec":{"template":{"spec":{"terminationGracePeriodSeconds":COUNT}}}}"#,
    r#"PATCH statefulsets/NAME as strategic {"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"KEY","value":"VALUE"}]}]}}}}"#,
    r#"PATCH statefulsets/NAME as strategic {"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"KEY","$patch":"delete"}]},{"name":"d","image":"y:VALUE"}]}}}}"#,
    r#"PATCH statefulsets/NAME as json [{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"x:VALUE"}]"#,
    r#"PATCH statefulsets/NAME/status as merge {"status":{"replicas":COUNT,"readyReplicas":COUNT}}"#,
    r#"PATCH statefulsets/NAME?fieldManager=MANAGERFORCE as apply {"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"NAME"},"spec":{"replicas":COUNT,"serviceName":"s","selector":{"matchLabels":{"app":"s"}},"template":{"metadata":{"labels":{"app":"s"}},"spec":{"containers":[{"name":"c","image":"x:VALUE"}]}}}}"#,
    r#"PATCH statefulsets/NAME?fieldManager=MANAGERFORCE as apply {"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"NAME","labels":{"KEY":"VALUE"}}}"#,
    r#"PATCH statefulsets/NAME/status?fieldManager=MANAGERFORCE as apply {"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"NAME"},"status":{"replicas":COUNT}}"#,
    "DELETE statefulsets/NAMEPROPAGATION",
    "GET statefulsets/NAME",
    "GET statefulsets",
];

const CLUSTERS: &[&str] = &[
    r#"POST etcdclusters {"apiVersion":"etcd.etcd.io/v1alpha1","kind":"EtcdCluster","metadata":{"name":"NAME"},"spec":{"size":COUNT,"version":"3.5.21"}}"#,
    r#"PATCH etcdclusters/NAME?fieldManager=MANAGERFORCE as apply {"apiVersion":"etcd.etcd.io/v1alpha1","kind":"EtcdCluster","metadata":{"name":"NAME"},"spec":{"size":COUNT,"version":"3.6.1VALUE"}}"#,
    r#"PATCH etcdclusters/NAME?fieldManager=MANAGERFORCE as apply {"apiVersion":"etcd.etcd.io/v1alpha1","kind":"EtcdCluster","metadata":{"name":"NAME","labels":{"KEY":"VALUE"}},"spec":{"version":"3.5.2VALUE"}}"#,
    r#"PATCH etcdclusters/NAME as merge {"spec":{"size":COUNT}}"#,
    r#"PATCH etcdclusters/NAME as merge {"spec":{"version":"3.5.2VALUE"}}"#,
    r#"PATCH etcdclusters/NAME as merge {"spec":{"KEY":"VALUE"},"KEY":VALUE}"#,
    r#"PATCH etcdclusters/NAME as json [{"op":"replace","path":"/spec/size","value":COUNT}]"#,
    r#"PATCH etcdclusters/NAME as json [{"op":"remove","path":"/spec/version"}]"#,
    r#"PATCH etcdclusters/NAME/status as merge {"status":{"readyReplicas":COUNT},"spec":{"size":COUNT}}"#,
    r#"PATCH etcdclusters/NAME/status?fieldManager=MANAGERFORCE as apply {"apiVersion":"etcd.etcd.io/v1alpha1","kind":"EtcdCluster","metadata":{"name":"NAME"},"status":{"replicas":COUNT}}"#,
    "GET etcdclusters/NAME/scale",
    r#"PATCH etcdclusters/NAME/scale as merge {"spec":{"replicas":COUNT}}"#,
    r#"PUT etcdclusters/NAME/scale {"metadata":{"name":"NAME"},"spec":{"replicas":COUNT}}"#,
    "DELETE etcdclusters/NAMEPROPAGATION",
    "GET etcdclusters/NAME",
    "GET etcdclusters?limit=LIMIT",
];

const PODS: &[&str] = &[
    r#"POST pods {"metadata":{"name":"NAME","labels":{"KEY":"VALUE"}},"spec":{"containers":[{"name":"c","image":"x:VALUE"}]}}"#,
    r#"POST pods {"metadata":{"name":"NAME","finalizers":FINALIZERS},"spec":{"nodeName":"n","terminationGracePeriodSeconds":COUNT,"containers":[{"name":"c","image":"x:VALUE"}]}}"#,
    r#"POST pods/NAME/binding {"metadata":{"name":"NAME"},"target":{"kind":"Node","name":"n"}}"#,
    r#"POST pods/NAME/eviction {"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"NAME"}}"#,
    r#"POST poddisruptionbudgets {"metadata":{"name":"NAME"},"spec":{"maxUnavailable":COUNT,"selector":{"matchLabels":{"KEY":"VALUE"}}}}"#,
    r#"PATCH poddisruptionbudgets/NAME/status as merge {"status":{"observedGeneration":1,"disruptionsAllowed":COUNT,"currentHealthy":1,"desiredHealthy":1,"expectedPods":1}}"#,
    "DELETE poddisruptionbudgets/NAME",
    r#"PATCH pods/NAME as merge {"metadata":{"labels":{"KEY":"VALUE"}}}"#,
    r#"PATCH pods/NAME as merge {"metadata":{"finalizers":FINALIZERS}}"#,
    r#"PATCH pods/NAME as strategic {"spec":{"containers":[{"name":"c","image":"x:VALUE"}]}}"#,
    r#"PATCH pods/NAME as strategic {"spec":{"containers":[{"name":"d","image":"x:VALUE"}]}}"#,
    r#"PATCH pods/NAME/status as merge {"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}"#,
    r#"PATCH pods/NAME/status as strategic {"status":{"phase":"Failed","conditions":[{"type":"Ready","status":"False"}]}}"#,
    r#"PATCH pods/NAME?fieldManager=MANAGERFORCE as apply {"apiVersion":"v1","kind":"Pod","metadata":{"name":"NAME","labels":{"KEY":"VALUE"}},"spec":{"containers":[{"name":"c","image":"x:VALUE"}]}}"#,
    "DELETE pods/NAME",
    "DELETE pods/NAME?gracePeriodSeconds=COUNT",
    r#"DELETE pods/NAME {"gracePeriodSeconds":COUNT,"preconditions":{"uid":"<uid NAME>"}}"#,
    "GET pods/NAME",
    "GET pods?fieldSelector=status.phase%3DRunning",
    "GET pods?fieldSelector=spec.nodeName%3Dn",
];

#[test]
fn random_requests_about_config_maps_are_answered_alike() {
    compare("config maps", script(CONFIG_MAPS, 25));
}

#[test]
fn random_requests_about_stateful_sets_are_answered_alike() {
    compare("stateful sets", script(SETS, 15));
}

#[test]
fn random_requests_about_custom_resources_are_answered_alike() {
    compare("custom resources", script(CLUSTERS, 15));
}

#[test]
fn random_requests_about_pods_are_answered_alike() {
    compare("pods", script(PODS, 20));
}

#[test]
fn random_changes_are_watched_alike() {
    let watches = |mut lines: Vec<String>| {
        lines.insert(0, "GET configmaps".to_owned());
        lines.push("WATCH configmaps?resourceVersion=<rv list>".to_owned());
        lines.push("WATCH configmaps?resourceVersion=<rv list>&labelSelector=x%3D1".to_owned());
        lines
    };
    compare("watches", script(WATCHED, 12).prop_map(watches));
}
