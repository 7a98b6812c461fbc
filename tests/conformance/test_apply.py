"""Server-side apply: ownership, conflicts, removal, list maps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.client import (
    STRATEGIC,
    Client,
    JsonObject,
    config_map,
    service,
    widget,
)


def owners(obj: JsonObject) -> dict[str, Any]:
    """Return the fields of each manager of an object, by name."""
    return {
        entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())
    }


def test_an_apply_creates_and_owns_what_it_lists(api: Client) -> None:
    """201, and the record says who, how and what."""
    body = config_map("one", labels={"app": "x"}, data={"a": "1"})
    reply = api.apply(api.config_maps("one"), body, "alice")
    assert reply.code == 201
    (entry,) = reply.ok()["metadata"]["managedFields"]
    assert entry.pop("time")
    assert entry == {
        "manager": "alice",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:app": {}}}},
    }


def test_the_same_apply_again_changes_nothing(api: Client) -> None:
    """Neither version nor time of the record."""
    body = config_map("one", data={"a": "1"})
    first = api.apply(api.config_maps("one"), body, "alice").ok()
    again = api.apply(api.config_maps("one"), body, "alice")
    assert again.code == 200
    assert again.ok() == first


def test_what_is_applied_no_more_is_removed(api: Client) -> None:
    """Unless somebody else owns it too."""
    path = api.config_maps("one")
    api.apply(path, config_map("one", data={"mine": "1", "ours": "2"}), "alice").ok()
    api.apply(path, config_map("one", data={"ours": "2", "his": "3"}), "bob").ok()
    after = api.apply(path, config_map("one"), "alice").ok()
    assert after["data"] == {"ours": "2", "his": "3"}
    assert list(owners(after)) == ["bob"]


def test_a_field_of_another_applier_is_a_conflict(api: Client) -> None:
    """409 that names field and owner; force takes the field over."""
    path = api.config_maps("one")
    api.apply(path, config_map("one", data={"a": "1", "b": "1"}), "alice").ok()
    refused = api.apply(path, config_map("one", data={"a": "2"}), "bob")
    status = refused.failed(409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "alice": .data.a'
    assert status["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "alice"',
            "field": ".data.a",
        }
    ]
    taken = api.apply(path, config_map("one", data={"a": "2"}), "bob", force=True).ok()
    assert taken["data"] == {"a": "2", "b": "1"}
    assert owners(taken) == {
        "alice": {"f:data": {"f:b": {}}},
        "bob": {"f:data": {"f:a": {}}},
    }


def test_several_conflicts_are_listed_by_owner(api: Client) -> None:
    """One line for each field."""
    path = api.config_maps("one")
    api.apply(path, config_map("one", data={"a": "1", "b": "1"}), "alice").ok()
    reply = api.apply(path, config_map("one", data={"a": "2", "b": "2"}), "bob")
    assert reply.failed(409, "Conflict")["message"] == (
        'Apply failed with 2 conflicts: conflicts with "alice":\n- .data.a\n- .data.b'
    )


def test_the_same_value_is_shared_without_conflict(api: Client) -> None:
    """Both own it; giving it up leaves it to the other."""
    path = api.config_maps("one")
    api.apply(path, config_map("one", data={"a": "1"}), "alice").ok()
    both = api.apply(path, config_map("one", data={"a": "1"}), "bob").ok()
    assert set(owners(both)) == {"alice", "bob"}


def test_other_writes_own_fields_as_well(api: Client) -> None:
    """A create and a patch count as updates and conflict with a later apply."""
    path = api.config_maps("one")
    made = config_map("one", data={"a": "1", "b": "1"})
    api.post(api.config_maps(), made, fieldManager="maker").ok()
    api.patch(path, {"data": {"b": "2"}}, fieldManager="patcher").ok()
    reply = api.apply(path, config_map("one", data={"a": "9", "b": "9"}), "alice")
    message = reply.failed(409, "Conflict")["message"]
    assert 'conflicts with "maker" using v1:\n- .data.a' in message
    assert 'conflicts with "patcher" using v1:\n- .data.b' in message


def test_a_write_takes_a_field_from_an_applier(api: Client) -> None:
    """Whoever changed it last owns it; applying the old value is then a conflict."""
    path = api.config_maps("one")
    body = config_map("one", data={"a": "1"})
    api.apply(path, body, "alice").ok()
    after = api.patch(path, {"data": {"a": "2"}}, fieldManager="patcher").ok()
    assert owners(after) == {"patcher": {"f:data": {"f:a": {}}}}
    api.apply(path, body, "alice").failed(409, "Conflict")
    assert api.apply(path, body, "alice", force=True).ok()["data"] == {"a": "1"}


def test_a_removed_field_is_owned_by_nobody(api: Client) -> None:
    """Also if it was somebody else who removed it."""
    path = api.config_maps("one")
    api.apply(path, config_map("one", data={"a": "1", "b": "1"}), "alice").ok()
    after = api.patch(path, {"data": {"a": None}}, fieldManager="patcher").ok()
    assert owners(after) == {"alice": {"f:data": {"f:b": {}}}}


def test_ports_of_a_service_are_owned_one_by_one(api: Client) -> None:
    """By port and protocol, the protocol being TCP if left out."""
    path = api.services("web")
    mine = service("web", ports=[{"port": 80, "name": "http"}])
    first = api.apply(path, mine, "alice").ok()
    node_port = first["spec"]["ports"][0]["nodePort"]
    theirs = service("web", ports=[{"port": 443, "name": "https", "protocol": "TCP"}])
    both = api.apply(path, theirs, "bob").ok()
    assert [port["name"] for port in both["spec"]["ports"]] == ["http", "https"]
    assert both["spec"]["ports"][0]["nodePort"] == node_port
    item = 'k:{"port":80,"protocol":"TCP"}'
    assert owners(both)["alice"]["f:spec"]["f:ports"] == {
        item: {".": {}, "f:name": {}, "f:port": {}}
    }
    changed = service("web", ports=[{"port": 80, "name": "other"}])
    message = api.apply(path, changed, "bob").failed(409, "Conflict")["message"]
    assert '.spec.ports[port=80,protocol="TCP"].name' in message
    without = service("web")
    del without["spec"]["ports"]
    gone = api.apply(path, without, "bob").ok()
    assert [port["name"] for port in gone["spec"]["ports"]] == ["http"]


def test_an_item_goes_although_somebody_owns_a_part_of_it(api: Client) -> None:
    """Only an owner of the item itself keeps it; a field within it is not enough."""
    path = api.services("web")
    ports = [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]
    api.apply(path, service("web", "ClusterIP", ports=ports), "alice").ok()
    patch = {"spec": {"ports": [{"port": 443, "appProtocol": "https"}]}}
    api.patch(path, patch, STRATEGIC, fieldManager="patcher").ok()
    after = api.apply(path, service("web", "ClusterIP", ports=ports[:1]), "alice").ok()
    assert [port["port"] for port in after["spec"]["ports"]] == [80]


def test_a_map_stays_while_somebody_owns_a_key_of_it(api: Client) -> None:
    """The applier's keys go, those of others keep the map."""
    path = api.widgets("w")
    api.apply(path, widget("w", limits={"a": 1}), "alice").ok()
    api.patch(path, {"spec": {"limits": {"c": 2}}}, fieldManager="patcher").ok()
    after = api.apply(path, widget("w"), "alice").ok()
    assert after["spec"]["limits"] == {"c": 2}
    api.patch(path, {"spec": {"limits": None}}, fieldManager="patcher").ok()
    api.apply(path, widget("w", limits={"a": 1}, parts=[{"name": "x"}]), "alice").ok()
    assert api.apply(path, widget("w"), "alice").ok()["spec"] == {"size": 1, "color": "red"}


def test_free_fields_are_owned_key_by_key(api: Client) -> None:
    """Each map below a field without a schema is a member of its own."""
    made = api.apply(api.widgets("w"), widget("w", free={"a": {"b": 1}, "c": [1]}), "alice").ok()
    assert owners(made)["alice"]["f:spec"]["f:free"] == {
        "f:a": {".": {}, "f:b": {}},
        "f:c": {},
    }


def test_conditions_are_owned_by_type(api: Client) -> None:
    """Two controllers report side by side."""
    api.post(api.widgets(), widget("w")).ok()
    path = api.widgets("w", "status")

    def report(kind: str, value: str, manager: str) -> JsonObject:
        conditions = [{"type": kind, "status": value}]
        body = widget("w") | {"status": {"conditions": conditions}}
        del body["spec"]
        return dict(api.apply(path, body, manager).ok()["status"])

    report("Ready", "True", "alice")
    report("Synced", "False", "bob")
    assert report("Ready", "False", "alice")["conditions"] == [
        {"type": "Ready", "status": "False"},
        {"type": "Synced", "status": "False"},
    ]


def test_an_apply_to_the_status_removes_what_it_no_longer_lists(api: Client) -> None:
    """Only the status; the spec is neither changed nor owned."""
    api.post(api.widgets(), widget("w")).ok()
    path = api.widgets("w", "status")
    body = widget("w", size=7) | {"status": {"phase": "Up", "count": 3}}
    first = api.apply(path, body, "alice").ok()
    assert first["spec"]["size"] == 1
    assert owners(first)["alice"] == {"f:status": {"f:count": {}, "f:phase": {}}}
    after = api.apply(path, body | {"status": {"phase": "Up"}}, "alice").ok()
    assert after["status"] == {"phase": "Up"}


def test_an_apply_to_the_object_leaves_the_status_alone(api: Client) -> None:
    """What it says of the status is ignored and not owned."""
    api.post(api.widgets(), widget("w")).ok()
    api.patch(api.widgets("w", "status"), {"status": {"phase": "Up"}}).ok()
    body = widget("w") | {"status": {"phase": "Down"}}
    after = api.apply(api.widgets("w"), body, "alice").ok()
    assert after["status"] == {"phase": "Up"}
    assert owners(after)["alice"] == {"f:spec": {"f:size": {}}}


def test_atomic_values_have_one_owner(api: Client) -> None:
    """A selector is replaced as a whole."""
    path = api.services("web")
    api.apply(path, service("web", selector={"app": "a", "tier": "x"}), "alice").ok()
    body = service("web", selector={"app": "b"})
    message = api.apply(path, body, "bob").failed(409, "Conflict")["message"]
    assert message.endswith('conflict with "alice": .spec.selector')
    after = api.apply(path, body, "bob", force=True).ok()
    assert after["spec"]["selector"] == {"app": "b"}


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"kind": None}, 400, "BadRequest"),
        ({"metadata": {"name": "one", "managedFields": [{}]}}, 400, "BadRequest"),
        ({"metadata": {"name": "other"}}, 400, "BadRequest"),
        ({"metadata": {"name": "one", "resourceVersion": "1"}}, 409, "Conflict"),
    ],
)
def test_an_apply_must_be_well_formed(
    api: Client, change: JsonObject, code: int, reason: str
) -> None:
    """It needs a kind, brings no record of owners, and may state a version."""
    api.post(api.config_maps(), config_map("one")).ok()
    merged = {k: v for k, v in (config_map("one") | change).items() if v is not None}
    api.apply(api.config_maps("one"), merged, "alice").failed(code, reason)


def test_an_apply_needs_a_manager(api: Client) -> None:
    """422 on fieldManager."""
    reply = api.patch(api.config_maps("one"), config_map("one"), "application/apply-patch+yaml")
    assert reply.causes() == [("fieldManager", "FieldValueRequired")]


def test_an_apply_is_validated_like_any_write(api: Client) -> None:
    """422 from the schema; nothing is created."""
    api.apply(api.widgets("w"), widget("w", size=99), "alice").failed(422, "Invalid")
    api.get(api.widgets("w")).failed(404, "NotFound")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"size": "big"}, ".spec.size: expected numeric (int or float), got string"),
        ({"nonsense": 1}, ".spec.nonsense: field not declared in schema"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, ".spec.parts: duplicate entries"),
    ],
)
def test_an_apply_must_fit_the_schema(api: Client, spec: dict[str, Any], text: str) -> None:
    """500 before anything else is looked at; unknown fields are errors, not warnings."""
    reply = api.apply(api.widgets("w"), widget("w") | {"spec": spec}, "alice")
    assert reply.code == 500
    assert reply.body["message"].startswith("failed to create typed patch object (")
    assert text in reply.body["message"]


def test_a_dry_run_of_an_apply_stores_nothing(api: Client) -> None:
    """The answer shows what would be."""
    body = config_map("one", data={"a": "1"})
    shown = api.apply(api.config_maps("one"), body, "alice", dryRun="All").ok()
    assert shown["data"] == {"a": "1"}
    api.get(api.config_maps("one")).failed(404, "NotFound")


def test_the_record_of_owners_can_be_rewritten(api: Client) -> None:
    """As kubectl does when it moves from client-side to server-side apply."""
    path = api.config_maps("one")
    made = api.apply(path, config_map("one", data={"a": "1"}), "alice").ok()
    entry = made["metadata"]["managedFields"][0] | {"manager": "renamed"}
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [entry]}]
    after = api.patch(path, patch, "application/json-patch+json").ok()
    assert list(owners(after)) == ["renamed"]
    api.apply(path, config_map("one", data={"a": "2"}), "renamed").ok()


def test_strategic_and_other_writes_keep_the_owners_of_what_they_leave_alone(
    api: Client,
) -> None:
    """Only the changed field moves to the writer."""
    path = api.services("web")
    api.apply(path, service("web", ports=[{"port": 80, "name": "http"}]), "alice").ok()
    patch = {"spec": {"ports": [{"port": 80, "appProtocol": "http"}]}}
    after = api.patch(path, patch, STRATEGIC, fieldManager="patcher").ok()
    item = 'k:{"port":80,"protocol":"TCP"}'
    assert owners(after)["patcher"] == {"f:spec": {"f:ports": {item: {"f:appProtocol": {}}}}}
    assert "f:name" in owners(after)["alice"]["f:spec"]["f:ports"][item]
