"""Create and read: metadata from the server, checks on the way in, and their errors."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conformance.client import STRATEGIC, Client, config_map, service, widget


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
    """404 for an object and for a resource; with the group in the details."""
    status = api.get(api.widgets("none")).failed(404, "NotFound")
    assert status["message"] == 'widgets.conformance.example "none" not found'
    assert status["details"]["group"] == "conformance.example"
    api.get("/api/v1/namespaces/default/nonsense").failed(404, "NotFound")
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
        ({"apiVersion": "v2"}, 'no kind "ConfigMap" is registered for version "v2"'),
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
        {"finalizers": ["example.com/no spaces"]},
    ],
)
def test_labels_annotations_and_finalizers_are_checked(
    api: Client, metadata: dict[str, Any]
) -> None:
    """422 names the map."""
    reply = api.post(api.config_maps(), config_map("x") | {"metadata": {"name": "x"} | metadata})
    assert reply.causes() == [(f"metadata.{next(iter(metadata))}", "FieldValueInvalid")]


def test_finalizers_of_built_in_kinds_need_a_domain(api: Client) -> None:
    """Those of custom kinds do not; the three standard ones do not either."""
    reply = api.post(api.config_maps(), config_map("x", finalizers=["mine"]))
    assert reply.causes() == [("metadata.finalizers[0]", "FieldValueInvalid")]
    api.post(api.config_maps(), config_map("x", finalizers=["kubernetes"]), dryRun="All").ok()
    body = widget("w")
    body["metadata"]["finalizers"] = ["mine"]
    api.post(api.widgets(), body, dryRun="All").ok()


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
    text = 'strict decoding error: unknown field "metadata.folly", unknown field "spec.nonsense"'
    assert text in strict["message"]
    warned = api.post(api.services(), body, dryRun="All")
    assert warned.headers.get_all("Warning") == [
        '299 - "unknown field \\"metadata.folly\\""',
        '299 - "unknown field \\"spec.nonsense\\""',
    ]
    silent = api.post(api.services(), body, fieldValidation="Ignore")
    assert silent.headers.get_all("Warning") is None
    assert "nonsense" not in silent.ok()["spec"]
    assert "folly" not in silent.ok()["metadata"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"dryRun": "Some"}, "dryRun"),
        ({"fieldValidation": "Sometimes"}, "fieldValidation"),
    ],
)
def test_options_of_a_write_are_checked(api: Client, query: dict[str, Any], field: str) -> None:
    """422 on the option; nothing is stored."""
    reply = api.post(api.config_maps(), config_map("one"), **query)
    assert reply.causes() == [(field, "FieldValueNotSupported")]
    api.get(api.config_maps("one")).failed(404, "NotFound")


def test_times_of_a_lease_need_microseconds(api: Client) -> None:
    """400 for a whole object, 422 for a patch; other times take any fraction."""
    body = {"metadata": {"name": "l"}, "spec": {"renewTime": "2024-01-01T00:00:05Z"}}
    status = api.post(api.leases(), body).failed(400, "BadRequest")
    assert 'parsing time "2024-01-01T00:00:05Z"' in status["message"]
    precise = {"spec": {"renewTime": "2024-01-01T00:00:05.000000Z"}}
    made = api.post(api.leases(), body | precise).ok()
    assert made["spec"] == precise["spec"]
    reply = api.patch(api.leases("l"), {"spec": {"renewTime": "2024-01-01T00:00:06Z"}})
    assert reply.causes() == [("patch", "FieldValueInvalid")]


@pytest.mark.parametrize(
    ("endpoint", "field"),
    [
        ({"addresses": []}, "endpoints[0].addresses"),
        ({"addresses": ["2001:db8::1"]}, "endpoints[0].addresses"),
        ({"addresses": ["127.0.0.1"]}, "endpoints[0].addresses[0]"),
        ({"addresses": ["nonsense"]}, "endpoints[0].addresses[0]"),
    ],
)
def test_addresses_of_an_endpoint_slice_are_checked(
    api: Client, endpoint: dict[str, Any], field: str
) -> None:
    """422; what is right gets defaults for ports and conditions."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{api.namespace}/endpointslices"
    body = {"metadata": {"name": "s"}, "addressType": "IPv4"}
    assert field in [name for name, _ in api.post(path, body | {"endpoints": [endpoint]}).causes()]
    good = {"endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}
    made = api.post(path, body | good).ok()
    assert made["endpoints"] == [{"addresses": ["10.0.0.1"], "conditions": {}}]
    assert made["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]


def test_string_data_of_a_secret_becomes_data(api: Client) -> None:
    """Base64, and never shown as it was written."""
    path = f"/api/v1/namespaces/{api.namespace}/secrets"
    made = api.post(path, {"metadata": {"name": "s"}, "stringData": {"key": "value"}}).ok()
    assert made["data"] == {"key": "dmFsdWU="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made
