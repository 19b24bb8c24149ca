//! Custom kinds: definition, schema, columns, scale, the end of a kind.

use serde_json::{Value, json};

use crate::harness::Direct;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const THINGS: &str = "/apis/lab.io/v1/namespaces/default/things";

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.lab.io"},
        "spec": {
            "group": "lab.io", "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing", "shortNames": ["th"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}, "scale": {
                    "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size",
                    "labelSelectorPath": ".status.selector",
                }},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "When", "type": "date", "jsonPath": ".status.when"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": {
                    "type": "object", "required": ["spec"],
                    "properties": {
                        "spec": {
                            "type": "object",
                            "properties": {
                                "size": {"type": "integer", "minimum": 0, "maximum": 9, "default": 1},
                                "name": {"type": "string"},
                            },
                            "x-kubernetes-validations": [{"rule": "self.size != 2", "message": "even"}],
                        },
                        "status": {"type": "object", "properties": {
                            "size": {"type": "integer"}, "selector": {"type": "string"},
                            "when": {"type": "string", "format": "date-time"},
                        }},
                    },
                }},
            }],
        },
    })
}

fn thing(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "lab.io/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec})
}

fn with_things() -> Direct {
    let mut api = Direct::new();
    api.must("POST", DEFINITIONS, &definition());
    api
}

#[test]
fn a_definition_is_accepted_and_serves_its_kind_at_once() {
    let mut api = with_things();
    let stored = api.get(&format!("{DEFINITIONS}/things.lab.io"));
    let conditions = stored["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .any(|c| c["type"] == "Established" && c["status"] == "True")
    );
    assert_eq!(stored["spec"]["names"]["listKind"], "ThingList");
    let found = api.get("/apis/lab.io/v1");
    assert_eq!(found["resources"][0]["shortNames"], json!(["th"]));
    assert_eq!(api.get(THINGS)["kind"], "ThingList");
    assert_eq!(api.get("/apis/lab.io")["preferredVersion"]["version"], "v1");
}

#[test]
fn objects_are_defaulted_pruned_and_validated_by_the_schema() {
    let mut api = with_things();
    let mut with_status = thing("a", json!({"foo": 1}));
    with_status["status"] = json!({"size": 3});
    let reply = api.ask("POST", THINGS, &with_status);
    assert_eq!(reply.warnings, ["unknown field \"spec.foo\""]);
    assert_eq!(reply.value()["spec"], json!({"size": 1}));
    assert_eq!(reply.value().get("status"), None);
    let cases = [
        (
            json!({"size": 10}),
            422,
            "Thing.lab.io \"c\" is invalid: spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9",
        ),
        (
            json!({"size": 2}),
            422,
            "Thing.lab.io \"c\" is invalid: spec: Invalid value: \"object\": even",
        ),
        (
            json!({"size": "x"}),
            422,
            "Thing.lab.io \"c\" is invalid: [spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\", .spec.size: Invalid value: 0: .spec.size accessor error: x is of the type string, expected int64, <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]",
        ),
    ];
    for (spec, code, message) in cases {
        assert_eq!(
            api.refused("POST", THINGS, &thing("c", spec)),
            (code, message.to_owned())
        );
    }
    let strict = format!("{THINGS}?fieldValidation=Strict");
    assert_eq!(
        api.refused("POST", &strict, &json!({"apiVersion": "lab.io/v1", "kind": "Thing", "metadata": {"name": "c", "foo": 5}, "spec": {"foo": 1}})).1,
        "Thing in version \"v1\" cannot be handled as a Thing: strict decoding error: unknown field \"metadata.foo\", unknown field \"spec.foo\""
    );
    assert_eq!(
        api.refused("PUT", &format!("{THINGS}/a"), &thing("a", json!({})))
            .1,
        "things.lab.io \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    );
}

#[test]
fn status_is_written_apart_from_everything_else() {
    let mut api = with_things();
    api.must("POST", THINGS, &thing("a", json!({"size": 3})));
    let patch = json!({"metadata": {"labels": {"x": "y"}}, "spec": {"size": 7}, "status": {"size": 3, "selector": "a=b"}});
    let told = api.must("PATCH", &format!("{THINGS}/a/status"), &patch);
    assert_eq!(told["spec"]["size"], 3);
    assert_eq!(told["metadata"].get("labels"), None);
    assert_eq!(told["metadata"]["generation"], 1);
    let scale = api.get(&format!("{THINGS}/a/scale"));
    assert_eq!(scale["spec"], json!({"replicas": 3}));
    assert_eq!(scale["status"], json!({"replicas": 3, "selector": "a=b"}));
    let scaled = api.must(
        "PATCH",
        &format!("{THINGS}/a/scale"),
        &json!({"spec": {"replicas": 5}}),
    );
    assert_eq!(scaled["spec"]["replicas"], 5);
    assert_eq!(api.get(&format!("{THINGS}/a"))["metadata"]["generation"], 2);
    let path = format!("{THINGS}/a?fieldManager=m");
    assert_eq!(
        api.refused("PATCH", &path, &thing("a", json!({"size": 6}))),
        (409, "Apply failed with 1 conflict: conflict with \"lab\" with subresource \"scale\" using lab.io/v1: .spec.size".to_owned())
    );
}

#[test]
fn the_columns_of_the_definition_are_shown() {
    let mut api = with_things();
    api.must("POST", THINGS, &thing("a", json!({"size": 3})));
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let table = api.send("GET", THINGS, &accept, "").value();
    assert_eq!(table["rows"][0]["cells"], json!(["a", 3, null, "0s"]));
}

#[test]
fn deleting_a_definition_deletes_its_objects_and_waits_for_the_last() {
    let mut api = with_things();
    api.must("POST", THINGS, &thing("a", json!({})));
    let mut held = thing("b", json!({}));
    held["metadata"]["finalizers"] = json!(["a.b/c"]);
    api.must("POST", THINGS, &held);
    let path = format!("{DEFINITIONS}/things.lab.io");
    api.must("DELETE", &path, &Value::Null);
    assert_eq!(
        api.ask("GET", &format!("{THINGS}/a"), &Value::Null).code,
        404
    );
    assert_eq!(api.ask("GET", &path, &Value::Null).code, 200);
    api.must(
        "PATCH",
        &format!("{THINGS}/b"),
        &json!({"metadata": {"finalizers": []}}),
    );
    assert_eq!(api.ask("GET", &path, &Value::Null).code, 404);
    let gone = api.ask("GET", THINGS, &Value::Null);
    assert_eq!(
        (gone.code, &gone.body[..]),
        (404, &b"404 page not found\n"[..])
    );
}

#[test]
fn a_definition_that_makes_no_sense_is_refused() {
    let mut api = Direct::new();
    let mut refuse = |change: &dyn Fn(&mut Value)| {
        let mut bad = definition();
        change(&mut bad);
        api.refused("POST", DEFINITIONS, &bad).1
    };
    let prefix = "CustomResourceDefinition.apiextensions.k8s.io";
    assert_eq!(
        refuse(&|bad| bad["metadata"]["name"] = "x.lab.io".into()),
        format!(
            "{prefix} \"x.lab.io\" is invalid: metadata.name: Invalid value: \"x.lab.io\": must be spec.names.plural+\".\"+spec.group"
        )
    );
    assert_eq!(
        refuse(&|bad| bad["spec"]["scope"] = "X".into()),
        format!(
            "{prefix} \"things.lab.io\" is invalid: spec.scope: Unsupported value: \"X\": supported values: \"Cluster\", \"Namespaced\""
        )
    );
    assert_eq!(
        refuse(&|bad| {
            let schema = &mut bad["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            schema["properties"]["spec"]
                .as_object_mut()
                .unwrap()
                .remove("type");
        }),
        format!(
            "{prefix} \"things.lab.io\" is invalid: spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields"
        )
    );
}
