"""The common verbs through Kubernetes' own Python client, against whatever KUBECONFIG names.

Prints one line per verb. Ends with a traceback when something is not as on a real cluster.
"""

import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException

config.load_kube_config()
core, apps = client.CoreV1Api(), client.AppsV1Api()
policy, coordination = client.PolicyV1Api(), client.CoordinationV1Api()
SPACE = "default"


def refused(code, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except ApiException as error:
        assert error.status == code, f"{error.status} and not {code}: {error.body}"
        return error
    raise AssertionError(f"not refused with {code}")


def config_map(name, data, **metadata):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, **metadata), data=data)


made = core.create_namespaced_config_map(SPACE, config_map("a", {"k": "1"}, labels={"app": "x"}))
refused(409, core.create_namespaced_config_map, SPACE, config_map("a", {}))
print("create", made.metadata.name)

stale = core.read_namespaced_config_map("a", SPACE)
changed = core.patch_namespaced_config_map("a", SPACE, {"data": {"k": "2"}})
assert changed.data == {"k": "2"} and changed.metadata.resource_version != stale.metadata.resource_version
refused(409, core.replace_namespaced_config_map, "a", SPACE, stale)
changed.data["l"] = "3"
assert core.replace_namespaced_config_map("a", SPACE, changed).data == {"k": "2", "l": "3"}
print("read, patch, replace")

core.create_namespaced_config_map(SPACE, config_map("b", {}, labels={"app": "y"}))
names = [it.metadata.name for it in core.list_namespaced_config_map(SPACE, label_selector="app=x").items]
assert names == ["a"], names
first = core.list_namespaced_config_map(SPACE, label_selector="app", limit=1)
rest = core.list_namespaced_config_map(SPACE, label_selector="app", limit=1, _continue=first.metadata._continue)
assert [first.items[0].metadata.name, rest.items[0].metadata.name] == ["a", "b"]
print("list, in pieces")

since = core.list_namespaced_config_map(SPACE).metadata.resource_version
core.patch_namespaced_config_map("b", SPACE, {"data": {"k": "9"}})
core.delete_namespaced_config_map("b", SPACE)
seen = []
for event in watch.Watch().stream(core.list_namespaced_config_map, SPACE, resource_version=since, timeout_seconds=2):
    seen.append((event["type"], event["object"].metadata.name))
assert seen == [("MODIFIED", "b"), ("DELETED", "b")], seen
refused(404, core.read_namespaced_config_map, "b", SPACE)
print("watch, delete")

labels = {"app": "web"}
template = client.V1PodTemplateSpec(
    metadata=client.V1ObjectMeta(labels=labels),
    spec=client.V1PodSpec(containers=[client.V1Container(name="etcd", image="registry.example/etcd:v3.6.16")]),
)
spec = client.V1StatefulSetSpec(
    replicas=1, service_name="web", selector=client.V1LabelSelector(match_labels=labels), template=template
)
apps.create_namespaced_stateful_set(SPACE, client.V1StatefulSet(metadata=client.V1ObjectMeta(name="web"), spec=spec))
apps.patch_namespaced_stateful_set_scale("web", SPACE, {"spec": {"replicas": 2}})
assert apps.read_namespaced_stateful_set_scale("web", SPACE).spec.replicas == 2
for event in watch.Watch().stream(core.list_namespaced_pod, SPACE, label_selector="app=web", timeout_seconds=60):
    conditions = event["object"].status.conditions or []
    if event["object"].metadata.name == "web-1" and any(it.type == "Ready" and it.status == "True" for it in conditions):
        break
else:
    raise AssertionError("web-1 was never ready")
# Without a probe a container is ready before what runs in it is.
ends = time.time() + 60
while "ready to serve" not in core.read_namespaced_pod_log("web-1", SPACE):
    assert time.time() < ends, "etcd was never ready to serve"
    time.sleep(0.1)
print("stateful set, scale, pods, log")

eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="web-1"))
core.create_namespaced_pod_eviction("web-1", SPACE, eviction)
policy.create_namespaced_pod_disruption_budget(
    SPACE,
    client.V1PodDisruptionBudget(
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1PodDisruptionBudgetSpec(max_unavailable=1, selector=client.V1LabelSelector(match_labels=labels)),
    ),
)
print("eviction, budget")

lease = client.V1Lease(
    metadata=client.V1ObjectMeta(name="l"), spec=client.V1LeaseSpec(holder_identity="me", lease_duration_seconds=15)
)
assert coordination.create_namespaced_lease(SPACE, lease).spec.holder_identity == "me"
print("lease")

kinds = dynamic.DynamicClient(client.ApiClient())
maps = kinds.resources.get(api_version="v1", kind="ConfigMap")
applied = maps.server_side_apply(
    body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "mine"}},
    name="a", namespace=SPACE, field_manager="python", force_conflicts=True,
)
managers = {it.manager for it in applied.metadata.managedFields}
assert "python" in managers, managers
print("server-side apply through the dynamic client")

thing = {"group": "lab.dev", "scope": "Namespaced", "names": {"plural": "things", "singular": "thing", "kind": "Thing"}}
thing["versions"] = [{
    "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1, "default": 3}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }}},
}]
definitions = client.ApiextensionsV1Api()
definitions.create_custom_resource_definition(
    {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
     "metadata": {"name": "things.lab.dev"}, "spec": thing}
)
custom = client.CustomObjectsApi()
one = {"apiVersion": "lab.dev/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {}}
assert custom.create_namespaced_custom_object("lab.dev", "v1", SPACE, "things", one)["spec"] == {"size": 3}
one = {"apiVersion": "lab.dev/v1", "kind": "Thing", "metadata": {"name": "two"}, "spec": {"size": 0}}
refused(422, custom.create_namespaced_custom_object, "lab.dev", "v1", SPACE, "things", one)
custom.delete_namespaced_custom_object("lab.dev", "v1", SPACE, "things", "one")
print("custom resources")
