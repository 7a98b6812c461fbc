"""Create, read, update, patch and delete, with the metadata and the errors that belong to them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conformance.client import (
    JSON_PATCH,
    STRATEGIC,
    Client,
    config_map,
    service,
    widget,
)


def test_a_created_object_gets_its_metadata_from_the_server(api: Client) -> None:
    """Name and labels are the client's, the rest the server's."""
    body = config_map("one", labels={"a": "b"}, data={"k": "v"})
    body["metadata"] |= {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z"}
    reply = api.post(api.config_maps(), body)
    assert reply.code == 201
    metadata = reply.ok()["metadata"]
    assert metadata["name"] == "one"
    assert metadata["namespace"] == api.namespace
    assert metadata["labels"] == {"a": "b"}
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", metadata["uid"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    assert not metadata["creationTimestamp"].startswith("2001")
    assert int(metadata["resourceVersion"]) > 0
    assert "generation" not in metadata
    assert api.get(api.config_maps("one")).ok() == reply.body


def test_generate_name_makes_a_name(api: Client) -> None:
    """The prefix is kept and five characters follow."""
    body = {"metadata": {"generateName": "job-"}}
    first, second = (api.post(api.config_maps(), body).ok()["metadata"] for _ in range(2))
    assert re.fullmatch(r"job-[a-z0-9]{5}", first["name"])
    assert first["name"] != second["name"]
    assert first["generateName"] == "job-"


def test_the_same_name_cannot_be_created_twice(api: Client) -> None:
    """409 AlreadyExists names the object."""
    api.post(api.config_maps(), config_map("one")).ok()
    status = api.post(api.config_maps(), config_map("one")).failed(409, "AlreadyExists")
    assert status["message"] == 'configmaps "one" already exists'
    assert status["details"] == {"name": "one", "kind": "configmaps"}


def test_what_is_not_there_is_not_found(api: Client) -> None:
    """404 for an object, for a resource, for a group; with the group in the details."""
    status = api.get(api.widgets("none")).failed(404, "NotFound")
    assert status["message"] == 'widgets.conformance.example "none" not found'
    assert status["details"]["group"] == "conformance.example"
    api.get("/api/v1/namespaces/default/nonsense").failed(404, "NotFound")
    api.get("/apis/no.such.group/v1/things").failed(404, "NotFound")
    api.put(api.config_maps("none"), config_map("none")).failed(404, "NotFound")
    api.patch(api.config_maps("none"), {}).failed(404, "NotFound")
    api.delete(api.config_maps("none")).failed(404, "NotFound")


def test_a_namespace_must_exist(api: Client) -> None:
    """Creating in an unknown namespace is a 404 about the namespace; listing there is empty."""
    path = "/api/v1/namespaces/not-there/configmaps"
    status = api.post(path, config_map("one")).failed(404, "NotFound")
    assert status["message"] == 'namespaces "not-there" not found'
    assert api.get(path).ok()["items"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "Secret"}, "cannot be handled as a ConfigMap"),
        ({"apiVersion": "v2"}, "the API version in the data (v2) does not match"),
        ({"metadata": {"name": "x", "namespace": "other"}}, "the namespace of the provided object"),
    ],
)
def test_a_body_must_fit_its_url(api: Client, change: dict[str, Any], message: str) -> None:
    """400 says what does not fit."""
    status = api.post(api.config_maps(), config_map("x") | change).failed(400, "BadRequest")
    assert message in status["message"]


def test_the_name_in_the_body_must_be_that_of_the_url(api: Client) -> None:
    """400, whichever of the two exists."""
    api.post(api.config_maps(), config_map("one")).ok()
    status = api.put(api.config_maps("one"), config_map("two")).failed(400, "BadRequest")
    assert "does not match the name on the URL (one)" in status["message"]


@pytest.mark.parametrize("name", ["Upper", "-dash", "under_score", "dot.", "x" * 254])
def test_names_are_checked(api: Client, name: str) -> None:
    """422 on metadata.name."""
    assert api.post(api.config_maps(), config_map(name)).causes() == [
        ("metadata.name", "FieldValueInvalid")
    ]


def test_a_service_needs_a_dns_label_that_starts_with_a_letter(api: Client) -> None:
    """Names of Services are host names of the older kind."""
    reply = api.post(api.services(), service("1st"))
    assert reply.causes() == [("metadata.name", "FieldValueInvalid")]
    assert "a DNS-1035 label must consist of" in reply.body["message"]


def test_a_name_is_required(api: Client) -> None:
    """Neither name nor generateName: 422."""
    reply = api.post(api.config_maps(), {"metadata": {}})
    assert reply.causes() == [("metadata.name", "FieldValueRequired")]


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"a b": "c"}},
        {"labels": {"a": "not/ok"}},
        {"labels": {"a": "x" * 64}},
        {"annotations": {"two/slashes/here": "x"}},
        {"finalizers": ["no spaces"]},
    ],
)
def test_labels_annotations_and_finalizers_are_checked(
    api: Client, metadata: dict[str, Any]
) -> None:
    """422 names the map."""
    reply = api.post(api.config_maps(), config_map("x") | {"metadata": {"name": "x"} | metadata})
    assert reply.causes() == [(f"metadata.{next(iter(metadata))}", "FieldValueInvalid")]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b""])
def test_a_body_that_is_no_object_is_a_bad_request(api: Client, body: bytes) -> None:
    """400."""
    api.post(api.config_maps(), body).failed(400, "BadRequest")


def test_a_wrong_type_is_a_bad_request(api: Client) -> None:
    """Built-in kinds are decoded into types before anything else."""
    body = service("x") | {"spec": {"ports": [{"port": "eighty"}]}}
    status = api.post(api.services(), body).failed(400, "BadRequest")
    assert "cannot unmarshal string into Go struct field" in status["message"]


def test_media_types_that_are_not_understood_are_refused(api: Client) -> None:
    """415 for bodies, also for a strategic patch of a custom resource; 406 for answers."""
    api.send("POST", api.config_maps(), b"\x00", "application/nonsense").failed(
        415, "UnsupportedMediaType"
    )
    api.post(api.widgets(), widget("w")).ok()
    api.patch(api.widgets("w"), {}, STRATEGIC).failed(415, "UnsupportedMediaType")
    api.patch(api.widgets("w"), {}, "application/json").failed(415, "UnsupportedMediaType")
    api.get(api.config_maps(), accept="text/csv").failed(406, "NotAcceptable")


def test_yaml_bodies_are_understood(api: Client) -> None:
    """A YAML timestamp stays a string."""
    text = b"metadata: {name: one}\ndata:\n  when: 2020-01-02\n  many: '1'\n"
    reply = api.send("POST", api.config_maps(), text, "application/yaml")
    assert reply.ok()["data"] == {"when": "2020-01-02", "many": "1"}


def test_methods_that_do_not_fit_are_refused(api: Client) -> None:
    """405 with a Status."""
    api.send("POST", api.config_maps("one"), {}).failed(405, "MethodNotAllowed")
    api.send("PUT", api.config_maps(), {}).failed(405, "MethodNotAllowed")
    api.send("POST", "/api/v1/services", service("x")).failed(405, "MethodNotAllowed")
    api.send("DELETE", "/api/v1/services").failed(405, "MethodNotAllowed")


def test_unknown_fields_are_dropped_with_a_warning(api: Client) -> None:
    """Strict refuses, Ignore is silent, the default warns."""
    body = service("web")
    body["spec"]["nonsense"] = 1
    body["metadata"]["folly"] = "x"
    strict = api.post(api.services(), body, fieldValidation="Strict").failed(400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.nonsense"' in strict["message"]
    warned = api.post(api.services(), body, dryRun="All")
    assert warned.headers.get_all("Warning") == [
        '299 - "unknown field \\"spec.nonsense\\""',
        '299 - "unknown field \\"metadata.folly\\""',
    ]
    silent = api.post(api.services(), body, fieldValidation="Ignore")
    assert silent.headers.get_all("Warning") is None
    assert "nonsense" not in silent.ok()["spec"]
    assert "folly" not in silent.ok()["metadata"]


def test_put_replaces_what_the_client_may_set(api: Client) -> None:
    """What is left out goes; uid and creation time stay without being sent."""
    old = api.post(api.config_maps(), config_map("one", data={"a": "1"}, labels={"x": "y"})).ok()
    new = api.put(api.config_maps("one"), config_map("one", data={"b": "2"})).ok()
    assert new["data"] == {"b": "2"}
    assert "labels" not in new["metadata"]
    assert new["metadata"]["uid"] == old["metadata"]["uid"]
    assert new["metadata"]["creationTimestamp"] == old["metadata"]["creationTimestamp"]
    assert int(new["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])


def test_a_stale_version_is_a_conflict(api: Client) -> None:
    """For PUT and for PATCH alike; the message is what clients look for."""
    old = api.post(api.config_maps(), config_map("one", data={"a": "1"})).ok()
    api.patch(api.config_maps("one"), {"data": {"a": "2"}}).ok()
    status = api.put(api.config_maps("one"), old).failed(409, "Conflict")
    assert status["message"] == (
        'Operation cannot be fulfilled on configmaps "one": the object has been modified; please '
        "apply your changes to the latest version and try again"
    )
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}}
    api.patch(api.config_maps("one"), stale | {"data": {"a": "3"}}).failed(409, "Conflict")
    assert api.get(api.config_maps("one")).ok()["data"] == {"a": "2"}


def test_another_uid_is_a_conflict(api: Client) -> None:
    """A client that means another object of the same name is told so."""
    api.post(api.config_maps(), config_map("one")).ok()
    body = config_map("one")
    body["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    status = api.put(api.config_maps("one"), body).failed(409, "Conflict")
    assert "Precondition failed: UID in precondition" in status["message"]


def test_an_update_of_a_custom_resource_or_lease_must_state_its_version(api: Client) -> None:
    """422: these kinds allow no unconditional update."""
    api.post(api.widgets(), widget("w")).ok()
    reply = api.put(api.widgets("w"), widget("w", size=2))
    assert reply.causes() == [("metadata.resourceVersion", "FieldValueInvalid")]
    lease = api.post(api.leases(), {"metadata": {"name": "l"}, "spec": {}}).ok()
    api.put(api.leases("l"), {"metadata": {"name": "l"}, "spec": {}}).failed(422, "Invalid")
    assert api.put(api.leases("l"), lease).ok() == lease


def test_a_write_that_changes_nothing_keeps_the_version(api: Client) -> None:
    """No new version, and no event for watchers."""
    first = api.post(api.config_maps(), config_map("one", data={"a": "1"})).ok()
    version = first["metadata"]["resourceVersion"]
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        assert api.put(api.config_maps("one"), first).ok() == first
        assert api.patch(api.config_maps("one"), {"data": {"a": "1"}}).ok() == first
        assert api.patch(api.config_maps("one"), {}).ok() == first
        api.post(api.config_maps(), config_map("two")).ok()
        assert watch.take(1) == [("ADDED", "two")]


def test_put_creates_a_service_or_lease_that_is_not_there(api: Client) -> None:
    """Some kinds allow creation by update."""
    assert api.put(api.services("web"), service("web")).code == 201
    assert api.put(api.leases("l"), {"metadata": {"name": "l"}}).code == 201
    stale = service("other")
    stale["metadata"]["resourceVersion"] = "1"
    api.put(api.services("other"), stale).failed(404, "NotFound")


def test_merge_patches_merge_and_null_removes(api: Client) -> None:
    """RFC 7386."""
    api.post(api.config_maps(), config_map("one", data={"a": "1", "b": "2"})).ok()
    patched = api.patch(api.config_maps("one"), {"data": {"a": None, "c": "3"}}).ok()
    assert patched["data"] == {"b": "2", "c": "3"}
    emptied = api.patch(api.config_maps("one"), {"data": None}).ok()
    assert "data" not in emptied


def test_json_patches_are_applied_in_order_or_not_at_all(api: Client) -> None:
    """RFC 6902: add, replace, remove, move, copy, test, and escaped pointers."""
    api.post(api.services(), service("web", "ClusterIP", externalIPs=["192.0.2.1"])).ok()
    patch: list[dict[str, object]] = [
        {"op": "test", "path": "/spec/externalIPs/0", "value": "192.0.2.1"},
        {"op": "add", "path": "/spec/externalIPs/-", "value": "192.0.2.3"},
        {"op": "add", "path": "/spec/externalIPs/1", "value": "192.0.2.2"},
        {"op": "replace", "path": "/spec/externalIPs/0", "value": "192.0.2.9"},
        {"op": "remove", "path": "/spec/selector"},
    ]
    changed = api.patch(api.services("web"), patch, JSON_PATCH).ok()
    assert changed["spec"]["externalIPs"] == ["192.0.2.9", "192.0.2.2", "192.0.2.3"]
    assert "selector" not in changed["spec"]
    moved: list[dict[str, object]] = [
        {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "1"}},
        {"op": "copy", "from": "/metadata/annotations/a~1b", "path": "/metadata/annotations/d"},
        {"op": "move", "from": "/metadata/annotations/d", "path": "/metadata/annotations/e"},
    ]
    annotated = api.patch(api.services("web"), moved, JSON_PATCH).ok()
    assert annotated["metadata"]["annotations"] == {"a/b": "1", "e": "1"}
    failing = [
        {"op": "replace", "path": "/spec/type", "value": "NodePort"},
        {"op": "test", "path": "/spec/type", "value": "LoadBalancer"},
    ]
    api.patch(api.services("web"), failing, JSON_PATCH).failed(422, "Invalid")
    assert api.get(api.services("web")).ok()["spec"]["type"] == "ClusterIP"


def test_strategic_patches_merge_ports_by_number(api: Client) -> None:
    """Lists with a merge key merge, also with deletion; others are replaced."""
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 443}]
    api.post(api.services(), service("web", "ClusterIP", ports=ports)).ok()
    patch = {
        "spec": {
            "ports": [
                {"port": 80, "name": "http"},
                {"port": 443, "$patch": "delete"},
                {"port": 8080, "name": "alt"},
            ]
        }
    }
    ports = api.patch(api.services("web"), patch, STRATEGIC).ok()["spec"]["ports"]
    assert [(port["name"], port["port"]) for port in ports] == [("http", 80), ("alt", 8080)]


def test_generation_counts_changes_of_the_spec_only(api: Client) -> None:
    """Metadata and status leave it alone, and clients cannot set it."""
    made = api.post(api.widgets(), widget("w")).ok()
    assert made["metadata"]["generation"] == 1
    api.patch(api.widgets("w"), {"metadata": {"labels": {"a": "b"}, "generation": 7}}).ok()
    api.patch(api.widgets("w", "status"), {"status": {"phase": "Done"}}).ok()
    assert api.get(api.widgets("w")).ok()["metadata"]["generation"] == 1
    changed = api.patch(api.widgets("w"), {"spec": {"size": 2}}).ok()
    assert changed["metadata"]["generation"] == 2


def test_the_status_of_a_custom_resource_is_kept_apart(api: Client) -> None:
    """Each URL changes its own part; a status write leaves metadata alone."""
    body = widget("w") | {"status": {"phase": "Early"}}
    assert "status" not in api.post(api.widgets(), body).ok()
    both = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"size": 9},
        "status": {"phase": "Done"},
    }
    after = api.patch(api.widgets("w", "status"), both).ok()
    assert after["status"] == {"phase": "Done"}
    assert after["spec"]["size"] == 1
    assert "labels" not in after["metadata"]
    after = api.patch(api.widgets("w"), both | {"status": {"phase": "Other"}}).ok()
    assert after["status"] == {"phase": "Done"}
    assert after["spec"]["size"] == 9
    assert after["metadata"]["labels"] == {"a": "b"}


def test_the_status_url_of_a_service_keeps_metadata_and_refuses_stale_versions(
    api: Client,
) -> None:
    """One write carries annotations and addresses; the spec is out of reach."""
    made = api.post(api.services(), service("web")).ok()
    patch = {
        "metadata": {
            "annotations": {"by": "me"},
            "resourceVersion": made["metadata"]["resourceVersion"],
        },
        "spec": {"type": "ClusterIP"},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    }
    after = api.patch(api.services("web", "status"), patch).ok()
    assert after["metadata"]["annotations"] == {"by": "me"}
    assert after["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]
    assert after["spec"] == made["spec"]
    api.patch(api.services("web", "status"), patch).failed(409, "Conflict")


def test_the_status_url_is_there_only_for_kinds_that_have_it(api: Client) -> None:
    """404 for others, and no DELETE of a status."""
    api.post(api.config_maps(), config_map("one")).ok()
    api.get(f"{api.config_maps('one')}/status").failed(404, "NotFound")
    api.post(api.services(), service("web")).ok()
    assert api.get(api.services("web", "status")).ok() == api.get(api.services("web")).ok()
    api.delete(api.services("web", "status")).failed(405, "MethodNotAllowed")


def test_a_dry_run_answers_as_if_and_stores_nothing(api: Client) -> None:
    """Create, patch and delete; validation counts."""
    made = api.post(api.services(), service("web"), dryRun="All")
    assert made.code == 201
    assert made.ok()["spec"]["clusterIP"]
    api.get(api.services("web")).failed(404, "NotFound")
    api.post(api.services(), service("web", "Nonsense"), dryRun="All").failed(422, "Invalid")
    stored = api.post(api.services(), service("web")).ok()
    patch = {"metadata": {"labels": {"a": "b"}}}
    assert api.patch(api.services("web"), patch, dryRun="All").ok()["metadata"]["labels"]
    api.delete(api.services("web"), dryRun="All").ok()
    assert api.get(api.services("web")).ok() == stored


def test_immutable_config_maps_stay_as_they_are(api: Client) -> None:
    """422 on data once `immutable` is set."""
    api.post(api.config_maps(), config_map("one", data={"a": "1"}, immutable=True)).ok()
    reply = api.patch(api.config_maps("one"), {"data": {"a": "2"}})
    assert ("data", "FieldValueForbidden") in reply.causes()


def test_string_data_of_a_secret_becomes_data(api: Client) -> None:
    """Base64, and never shown as it was written."""
    path = f"/api/v1/namespaces/{api.namespace}/secrets"
    made = api.post(path, {"metadata": {"name": "s"}, "stringData": {"key": "value"}}).ok()
    assert made["data"] == {"key": "dmFsdWU="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made
