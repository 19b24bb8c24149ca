"""A third-party operator framework (kopf) with a small operator, against whatever KUBECONFIG names.

The operator gives every Greeting a ConfigMap. kopf does the rest in its own way: it discovers, lists
and watches, keeps its state in annotations, holds objects by finalizers and posts events.
"""

import threading
import time

import kopf
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException


@kopf.on.create("lab.dev", "v1", "greetings")
def created(spec, body, name, namespace, **_):
    kopf.info(body, reason="Greeted", message="for the first time")
    text = {"metadata": {"name": f"{name}-text"}, "data": {"text": f"hello {spec['to']}"}}
    kopf.adopt(text)
    core.create_namespaced_config_map(namespace, text)
    return {"done": True}


@kopf.on.update("lab.dev", "v1", "greetings", field="spec.to")
def changed(new, name, namespace, **_):
    core.patch_namespaced_config_map(f"{name}-text", namespace, {"data": {"text": f"hello {new}"}})


@kopf.on.delete("lab.dev", "v1", "greetings")
def deleted(name, namespace, **_):
    core.delete_namespaced_config_map(f"{name}-text", namespace)


def until(what, holds):
    ends = time.time() + 60
    while time.time() < ends:
        if holds():
            print(what, flush=True)
            return
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


def text():
    try:
        return core.read_namespaced_config_map("one-text", "default").data["text"]
    except ApiException as error:
        assert error.status == 404, error
        return None


def play():
    things = client.CustomObjectsApi()
    where = ("lab.dev", "v1", "default", "greetings")
    one = {"apiVersion": "lab.dev/v1", "kind": "Greeting", "metadata": {"name": "one"}, "spec": {"to": "you"}}
    things.create_namespaced_custom_object(*where, one)
    until("made", lambda: text() == "hello you")
    until("told in status", lambda: "created" in things.get_namespaced_custom_object(*where, "one").get("status", {}))
    held = things.get_namespaced_custom_object(*where, "one")["metadata"]["finalizers"]
    assert held == ["kopf.zalando.org/KopfFinalizerMarker"], held
    things.patch_namespaced_custom_object(*where, "one", {"spec": {"to": "world"}})
    until("changed", lambda: text() == "hello world")
    until("told by events", lambda: "Greeted" in [it.reason for it in core.list_namespaced_event("default").items])
    things.delete_namespaced_custom_object(*where, "one")
    until("deleted", lambda: text() is None)
    until("let go", lambda: things.list_namespaced_custom_object(*where)["items"] == [])


def definition():
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"plural": "greetings", "singular": "greeting", "kind": "Greeting"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "lab.dev", "scope": "Namespaced", "names": names, "versions": [version]}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return kind | {"metadata": {"name": "greetings.lab.dev"}, "spec": spec}


config.load_kube_config()
core = client.CoreV1Api()
client.ApiextensionsV1Api().create_custom_resource_definition(definition())
stop, failure = threading.Event(), []


def played():
    try:
        play()
    except BaseException as error:
        failure.append(error)
    stop.set()


threading.Thread(target=played).start()
kopf.run(namespaces=["default"], stop_flag=stop, standalone=True)
if failure:
    raise failure[0]
