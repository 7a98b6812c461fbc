"""Deletion: finalizers, preconditions, owners and namespaces."""

from __future__ import annotations

from tests.conformance.client import Client, JsonObject, Watch, config_map, service, widget


def until_deleted(watch: Watch, *wanted: str) -> None:
    """Wait for the DELETED events of these objects."""
    missing = set(wanted)
    while missing:
        event = watch.next()
        if event["type"] == "DELETED":
            missing.discard(event["object"]["metadata"]["name"])


def test_a_deletion_is_answered_with_a_status(api: Client) -> None:
    """It names the object and its uid; watchers see the last state under a newer version."""
    made = api.post(api.config_maps(), config_map("one", data={"a": "1"})).ok()
    version = made["metadata"]["resourceVersion"]
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        status = api.delete(api.config_maps("one")).ok()
        event = watch.next()
    assert (status["kind"], status["status"]) == ("Status", "Success")
    details = {"name": "one", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert status["details"] == details
    assert event["type"] == "DELETED"
    assert event["object"]["data"] == {"a": "1"}
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(version)
    api.get(api.config_maps("one")).failed(404, "NotFound")


def test_a_finalizer_holds_an_object_until_it_is_removed(api: Client) -> None:
    """Marked first; gone with the last finalizer, without a MODIFIED event for that."""
    made = api.post(api.widgets(), with_finalizers("example.com/a", "example.com/b")).ok()
    version = made["metadata"]["resourceVersion"]
    with api.watch(api.widgets(), resourceVersion=version) as watch:
        marked = api.delete(api.widgets("w")).ok()
        assert marked["metadata"]["deletionTimestamp"]
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
        assert marked["metadata"]["generation"] == made["metadata"]["generation"] + 1
        again = api.delete(api.widgets("w")).ok()
        assert again == marked
        one = {"metadata": {"finalizers": ["example.com/b"]}}
        assert api.patch(api.widgets("w"), one).ok()["metadata"]["deletionTimestamp"]
        assert api.patch(api.widgets("w"), {"metadata": {"finalizers": None}}).code == 200
        kinds = [watch.next()["type"] for _ in range(3)]
    assert kinds == ["MODIFIED", "MODIFIED", "DELETED"]
    api.get(api.widgets("w")).failed(404, "NotFound")


def with_finalizers(*names: str) -> JsonObject:
    """Build a Widget with finalizers."""
    body = widget("w")
    body["metadata"]["finalizers"] = list(names)
    return body


def test_no_finalizer_can_be_added_while_an_object_goes(api: Client) -> None:
    """422; changes to the rest are still possible."""
    api.post(api.widgets(), with_finalizers("example.com/a")).ok()
    api.delete(api.widgets("w")).ok()
    more = {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}}
    reply = api.patch(api.widgets("w"), more)
    assert set(reply.causes()) == {("metadata.finalizers", "FieldValueForbidden")}
    labels = {"metadata": {"labels": {"a": "b"}, "deletionTimestamp": None}}
    after = api.patch(api.widgets("w"), labels).ok()["metadata"]
    assert after["labels"] == {"a": "b"}
    assert after["deletionTimestamp"]
    api.patch(api.widgets("w"), {"metadata": {"finalizers": []}}).ok()


def test_preconditions_guard_a_deletion(api: Client) -> None:
    """409 unless uid and version are those meant."""
    made = api.post(api.config_maps(), config_map("one")).ok()["metadata"]
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        reply = api.delete(api.config_maps("one"), {"preconditions": wrong})
        assert "in the precondition" in reply.failed(409, "Conflict")["message"]
    right = {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}
    api.delete(api.config_maps("one"), {"preconditions": right}).ok()


def test_a_deletion_must_know_what_becomes_of_dependents(api: Client) -> None:
    """422 for a policy that does not exist."""
    api.post(api.config_maps(), config_map("one")).ok()
    reply = api.delete(api.config_maps("one"), {"propagationPolicy": "Adoption"})
    assert reply.causes() == [("propagationPolicy", "FieldValueNotSupported")]
    api.get(api.config_maps("one")).ok()


def owned(name: str, owner: JsonObject) -> JsonObject:
    """Build a ConfigMap with an owner."""
    body = config_map(name)
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
    ]
    return body


def test_objects_go_when_their_last_owner_goes(api: Client) -> None:
    """One with another owner stays."""
    first = api.post(api.services(), service("first")).ok()
    second = api.post(api.services(), service("second")).ok()
    both = owned("both", first)
    both["metadata"]["ownerReferences"] += owned("x", second)["metadata"]["ownerReferences"]
    for body in (owned("one", first), both):
        version = api.post(api.config_maps(), body).ok()["metadata"]["resourceVersion"]
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        api.delete(api.services("first")).ok()
        until_deleted(watch, "one")
        api.get(api.config_maps("both")).ok()
        api.delete(api.services("second")).ok()
        until_deleted(watch, "both")


def test_an_object_whose_owner_never_was_is_collected(api: Client) -> None:
    """A uid that does not exist is no owner."""
    ghost = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "g", "uid": "none"}}
    made = api.post(api.config_maps(), owned("one", ghost)).ok()
    version = made["metadata"]["resourceVersion"]
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        until_deleted(watch, "one")


def test_orphans_stay_without_their_owner(api: Client) -> None:
    """`propagationPolicy: Orphan` removes the reference, not the object."""
    owner = api.post(api.services(), service("web")).ok()
    made = api.post(api.config_maps(), owned("one", owner)).ok()
    version = made["metadata"]["resourceVersion"]
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        api.delete(api.services("web"), {"propagationPolicy": "Orphan"}).ok()
        event = watch.next()
    assert event["type"] == "MODIFIED"
    assert not event["object"]["metadata"].get("ownerReferences")
    api.get(api.config_maps("one")).ok()


def test_a_namespace_goes_with_its_content(api: Client) -> None:
    """Terminating first; nothing new can be created; gone once it is empty."""
    name = f"{api.namespace}-gone"
    path = f"/api/v1/namespaces/{name}"
    made = api.post("/api/v1/namespaces", {"metadata": {"name": name}}).ok()
    assert made["status"] == {"phase": "Active"}
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": name}
    held = config_map("held", finalizers=["example.com/wait"])
    api.post(f"{path}/configmaps", held).ok()
    version = api.post(f"{path}/configmaps", config_map("free")).ok()["metadata"]["resourceVersion"]
    with (
        api.watch(f"{path}/configmaps", resourceVersion=version) as maps,
        api.watch("/api/v1/namespaces", resourceVersion=version) as namespaces,
    ):
        going = api.delete(path).ok()
        assert going["status"]["phase"] == "Terminating"
        until_deleted(maps, "free")
        status = api.post(f"{path}/configmaps", config_map("late")).failed(403, "Forbidden")
        assert "because it is being terminated" in status["message"]
        assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        api.patch(f"{path}/configmaps/held", {"metadata": {"finalizers": None}}).ok()
        until_deleted(namespaces, name)
    api.get(path).failed(404, "NotFound")


def test_an_event_lives_in_the_namespace_of_its_object(api: Client) -> None:
    """422 otherwise."""
    body = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Service", "namespace": "x"}}
    reply = api.post(f"/api/v1/namespaces/{api.namespace}/events", body)
    assert reply.causes() == [("involvedObject.namespace", "FieldValueInvalid")]
