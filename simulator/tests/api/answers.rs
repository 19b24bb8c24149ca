//! Refusals and odd requests, with the words of a real 1.34 server.

use serde_json::{Value, json};

use crate::harness::{CONFIG_MAPS, Direct, PODS, STATEFUL_SETS, config_map, pod, stateful_set};

#[test]
fn refusals_are_worded_as_by_a_real_server() {
    let mut api = Direct::new();
    let uid = api.must("POST", CONFIG_MAPS, &config_map("a", &json!({"a": "b"})));
    let uid = uid["metadata"]["uid"].as_str().unwrap().to_owned();
    let a = &format!("{CONFIG_MAPS}/a");
    let map =
        |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    let cases = [
        ("POST", CONFIG_MAPS, map(json!({"name": "a"})), 409, "configmaps \"a\" already exists".to_owned()),
        ("POST", CONFIG_MAPS, map(json!({"name": "b", "resourceVersion": "5"})), 500, "resourceVersion should not be set on objects to be created".to_owned()),
        ("POST", CONFIG_MAPS, map(json!({})), 422, "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required".to_owned()),
        ("POST", CONFIG_MAPS, map(json!({"name": "b", "namespace": "x"})), 400, "the namespace of the provided object does not match the namespace sent on the request".to_owned()),
        ("POST", "/api/v1/namespaces/nope/configmaps", map(json!({"name": "b"})), 404, "namespaces \"nope\" not found".to_owned()),
        ("POST", CONFIG_MAPS, json!({"apiVersion": "v1", "kind": "Pod"}), 400, "Pod in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion".to_owned()),
        ("PUT", a, map(json!({"name": "a", "resourceVersion": "1"})), 409, "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again".to_owned()),
        ("PUT", a, map(json!({"name": "a", "uid": "1"})), 409, format!("Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: 4, Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: 1, UID in object meta: {uid}")),
        ("PUT", a, map(json!({"name": "b"})), 400, "the name of the object (b) does not match the name on the URL (a)".to_owned()),
        ("PUT", a, map(json!({})), 400, "the name of the object (a based on URL) was undeterminable: name must be provided".to_owned()),
        ("DELETE", a, json!({"preconditions": {"uid": "x"}}), 409, format!("Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (x) does not match the UID in record ({uid}). The object might have been deleted and then recreated")),
        ("PATCH", a, json!([{"op": "test", "path": "/data/a", "value": "x"}]), 422, "the server rejected our request due to an error in our request".to_owned()),
        ("PATCH", a, json!({"metadata": {"resourceVersion": "1"}}), 409, "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again".to_owned()),
        ("GET", "/api/v1/namespaces/default/configmaps/zz", Value::Null, 404, "configmaps \"zz\" not found".to_owned()),
        ("GET", "/api/v1/namespaces/default/foos", Value::Null, 404, "the server could not find the requested resource".to_owned()),
        ("POST", "/api/v1/configmaps", map(json!({"name": "b"})), 405, "the server does not allow this method on the requested resource".to_owned()),
        ("DELETE", "/api/v1/namespaces/default", Value::Null, 403, "namespaces \"default\" is forbidden: this namespace may not be deleted".to_owned()),
        ("GET", "/api/v1/namespaces/default/pods?fieldSelector=spec.foo=x", Value::Null, 400, "field label not supported: spec.foo".to_owned()),
        ("GET", "/api/v1/namespaces/default/configmaps?limit=x", Value::Null, 400, "strconv.ParseInt: parsing \"x\": invalid syntax".to_owned()),
    ];
    for (method, path, body, code, message) in cases {
        assert_eq!(
            api.refused(method, path, &body),
            (code, message),
            "{method} {path} {body}"
        );
    }
}

#[test]
fn broken_requests_are_refused_and_the_server_goes_on() {
    let mut api = Direct::new();
    for (kind, body, code) in [
        ("application/json", &b"{\"a"[..], 400),
        ("application/json", b"hello", 400),
        ("application/json", b"", 400),
        ("application/json", b"[1]", 400),
        ("application/json", b"\"x\"", 400),
        ("application/json", b"{\"metadata\": 5}", 400),
        ("text/plain", b"x", 415),
        ("application/vnd.kubernetes.protobuf", b"k8s\0", 400),
    ] {
        let reply = api.send(
            "POST",
            CONFIG_MAPS,
            &[("content-type", kind)],
            body.to_vec(),
        );
        assert_eq!(reply.code, code, "{kind} {body:?}: {}", reply.value());
        assert_eq!(reply.value()["status"], "Failure");
    }
    let huge = vec![b' '; 4 * 1024 * 1024];
    assert_eq!(api.send("POST", CONFIG_MAPS, &[], huge).code, 413);
    assert_eq!(
        api.send("GET", CONFIG_MAPS, &[("accept", "text/html")], "")
            .code,
        406
    );
    assert_eq!(api.send("PATCH", CONFIG_MAPS, &[], "{}").code, 405);
    for path in [
        "/foo",
        "/apis/foo.bar/v1/foos",
        "/api/v1/namespaces/%zz/pods/a/b/c",
    ] {
        assert_eq!(api.send("GET", path, &[], "").code, 404, "{path}");
    }
    api.must("POST", CONFIG_MAPS, &config_map("fine", &json!({})));
}

#[test]
fn unknown_and_duplicate_fields_are_told_as_the_caller_wants() {
    let mut api = Direct::new();
    let body = br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"data":{"a":"1","a":"2"},"foo":1,"foo":2}"#;
    let mut send = |query: &str| {
        let path = format!("{CONFIG_MAPS}?dryRun=All{query}");
        api.send("POST", &path, &[], body.to_vec())
    };
    let strict = send("&fieldValidation=Strict");
    assert_eq!(
        strict.value()["message"],
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field \"data.a\", unknown field \"foo\""
    );
    assert_eq!(
        send("").warnings,
        ["duplicate field \"data.a\"", "unknown field \"foo\""]
    );
    let ignored = send("&fieldValidation=Ignore");
    assert_eq!((ignored.code, ignored.warnings.len()), (201, 0));
    assert_eq!(ignored.value()["data"], json!({"a": "2"}));
    assert_eq!(send("&fieldValidation=Foo").code, 422);
    assert!(
        api.get(&format!("{CONFIG_MAPS}/b"))["code"] == 404,
        "a dry run stored something"
    );
}

#[test]
fn a_stateful_set_is_checked_and_keeps_what_may_not_change() {
    let mut api = Direct::new();
    let made = api.must("POST", STATEFUL_SETS, &stateful_set("s"));
    assert_eq!(
        made["spec"]["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    );
    assert_eq!(
        made["status"],
        json!({"replicas": 0, "availableReplicas": 0})
    );
    let patch = json!({"spec": {"serviceName": "y"}});
    assert_eq!(
        api.refused("PATCH", &format!("{STATEFUL_SETS}/s"), &patch),
        (422, "StatefulSet.apps \"s\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden".to_owned())
    );
    let mut bad = stateful_set("t");
    bad["spec"]["selector"] = json!({"matchLabels": {"app": "y"}});
    bad["spec"]["podManagementPolicy"] = "Foo".into();
    bad["spec"]["replicas"] = (-1).into();
    bad["spec"]["updateStrategy"] = json!({"type": "X"});
    bad["spec"]["template"]["spec"] = json!({"restartPolicy": "Never", "containers": []});
    assert_eq!(
        api.refused("POST", STATEFUL_SETS, &bad),
        (422, "StatefulSet.apps \"t\" is invalid: [spec.podManagementPolicy: Invalid value: \"Foo\": must be 'OrderedReady' or 'Parallel', spec.updateStrategy: Invalid value: {\"Type\":\"X\",\"RollingUpdate\":null}: must be 'RollingUpdate' or 'OnDelete', spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.template.metadata.labels: Invalid value: {\"app\":\"t\"}: `selector` does not match template `labels`, spec.template.spec.containers: Required value, spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"]".to_owned())
    );
    bad["spec"]["replicas"] = "x".into();
    assert_eq!(
        api.refused("POST", STATEFUL_SETS, &bad),
        (400, "StatefulSet in version \"v1\" cannot be handled as a StatefulSet: json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32".to_owned())
    );
}

#[test]
fn services_get_addresses_and_keep_them() {
    let mut api = Direct::new();
    let services = "/api/v1/namespaces/default/services";
    let service = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
    let made = api.must(
        "POST",
        services,
        &service(
            "s",
            json!({"ports": [{"port": 80}], "selector": {"a": "b"}}),
        ),
    );
    let address = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert!(address.starts_with("10.96."), "{address}");
    assert_eq!(
        made["spec"]["ports"],
        json!([{"protocol": "TCP", "port": 80, "targetPort": 80}])
    );
    let headless = service("h", json!({"clusterIP": "None", "selector": {"a": "b"}}));
    let headless = api.must("POST", services, &headless);
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
    assert_eq!(headless["spec"]["ipFamilyPolicy"], "SingleStack");
    let path = format!("{services}/s");
    let replaced = service(
        "s",
        json!({"ports": [{"port": 81}], "selector": {"a": "b"}}),
    );
    assert_eq!(
        api.must("PUT", &path, &replaced)["spec"]["clusterIP"],
        *address
    );
    assert_eq!(
        api.refused(
            "PATCH",
            &path,
            &json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}})
        )
        .1,
        "Service \"s\" is invalid: spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set"
    );
    assert_eq!(
        api.refused(
            "POST",
            services,
            &service(
                "n",
                json!({"clusterIP": "10.96.0.1", "ports": [{"port": 1}]})
            )
        )
        .1,
        "Service \"n\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.1\"]: failed to allocate IP 10.96.0.1: provided IP is already allocated"
    );
}

#[test]
fn a_pod_gets_what_admission_adds_and_may_change_little() {
    let mut api = Direct::new();
    let made = api.must("POST", PODS, &pod("p"));
    assert_eq!(made["spec"]["serviceAccountName"], "default");
    assert_eq!(made["spec"]["tolerations"][0]["tolerationSeconds"], 300);
    assert_eq!(
        made["status"],
        json!({"phase": "Pending", "qosClass": "BestEffort"})
    );
    let path = format!("{PODS}/p");
    api.must("PATCH", &path, &json!({"metadata": {"labels": {"x": "y"}}}));
    assert_eq!(
        api.refused("PATCH", &path, &json!({"spec": {"restartPolicy": "Never"}}))
            .0,
        422
    );
    let mut other = pod("q");
    other["spec"]["serviceAccountName"] = "nobody".into();
    assert_eq!(
        api.refused("POST", PODS, &other),
        (403, "pods \"q\" is forbidden: error looking up service account default/nobody: serviceaccount \"nobody\" not found".to_owned())
    );
}

#[test]
fn events_have_two_faces() {
    let mut api = Direct::new();
    let events = "/api/v1/namespaces/default/events";
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "R",
        "message": "m", "type": "Normal",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
    });
    let made = api.must("POST", events, &event);
    assert_eq!(made["lastTimestamp"], Value::Null);
    assert_eq!(made["source"], json!({}));
    let other = api.get("/apis/events.k8s.io/v1/namespaces/default/events/e");
    assert_eq!(
        (&other["note"], &other["regarding"]["name"]),
        (&json!("m"), &json!("p"))
    );
    let found =
        api.get("/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.name=p");
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let found = api.get(&format!("{events}?fieldSelector=involvedObject.name=q"));
    assert_eq!(found["items"].as_array().unwrap().len(), 0);
}

#[test]
fn tables_and_partial_objects_are_given_to_those_who_ask() {
    let mut api = Direct::new();
    api.must("POST", PODS, &pod("p"));
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let table = api.send("GET", PODS, &[("accept", table)], "").value();
    let names: Vec<&str> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[..5], ["Name", "Ready", "Status", "Restarts", "Age"]);
    assert_eq!(
        table["rows"][0]["cells"].as_array().unwrap()[..5],
        ["p", "0/1", "Pending", "0", "0s"].map(Value::from)
    );
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let partial = api.send("GET", PODS, &[("accept", partial)], "").value();
    assert_eq!(partial["items"][0].get("spec"), None);
    assert_eq!(partial["items"][0]["metadata"]["name"], "p");
}

#[test]
fn what_is_not_modelled_says_so() {
    let mut api = Direct::new();
    api.must("POST", PODS, &pod("p"));
    for path in [
        format!("{PODS}/p/exec"),
        format!("{PODS}/p/log"),
        format!("{PODS}/p/portforward"),
    ] {
        let (code, message) = api.refused("GET", &path, &Value::Null);
        assert_eq!(code, 501, "{path}");
        assert!(message.starts_with("not modelled: "), "{message}");
    }
}
