"""Custom resources: schemas, defaults, pruning, CEL rules, and CRDs that come and go."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conformance.client import SECONDS, Client, JsonObject, config_map, widget
from tests.conformance.conftest import WIDGET_CRD

UNCHECKED = ("<nil>", "FieldValueInvalid")  # rules were not run
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_defaults_are_filled_in_and_unknown_fields_dropped(api: Client) -> None:
    """Also below lists; what is declared free keeps everything."""
    body = widget("w", nonsense=1, free={"any": {"thing": [1]}}, parts=[{"name": "a", "x": 1}])
    made = api.post(api.widgets(), body)
    assert made.ok()["spec"] == {
        "size": 1,
        "color": "red",
        "free": {"any": {"thing": [1]}},
        "parts": [{"name": "a", "count": 1}],
    }
    assert made.headers.get_all("Warning") == [
        '299 - "unknown field \\"spec.nonsense\\""',
        '299 - "unknown field \\"spec.parts[0].x\\""',
    ]
    strict = api.post(api.widgets(), body, fieldValidation="Strict").failed(400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.nonsense"' in strict["message"]


def test_null_means_absent_unless_it_is_allowed(api: Client) -> None:
    """A nullable field keeps its null; elsewhere the default takes its place, if there is one."""
    made = api.post(api.widgets(), widget("w", color=None, maybe=None, code=None, parts=None))
    assert made.ok()["spec"] == {"size": 1, "color": "red", "maybe": None}


def test_rules_run_although_values_are_out_of_range(api: Client) -> None:
    """Only problems of shape keep them from running, which is then told."""
    reply = api.post(api.widgets(), widget("w", size=0, low=3, high=1))
    assert reply.causes() == [
        ("spec.size", "FieldValueInvalid"),
        ("spec.low", "FieldValueInvalid"),
    ]
    reply = api.post(api.widgets(), widget("w", color="green", low=3, high=1))
    assert reply.causes() == [("spec.color", "FieldValueNotSupported"), UNCHECKED]


@pytest.mark.parametrize("port", [80, "http"])
def test_int_or_string_takes_both(api: Client, port: object) -> None:
    """And nothing else."""
    assert api.post(api.widgets(), widget("w", port=port)).ok()["spec"]["port"] == port
    reply = api.post(api.widgets(), widget("v", port=True))
    assert reply.causes() == [("spec.port", "FieldValueTypeInvalid"), UNCHECKED]


@pytest.mark.parametrize(
    ("spec", "cause", "text"),
    [
        ({"size": None}, ("spec.size", "FieldValueRequired"), "Required value"),
        ({"tags": [None]}, ("spec.tags[0]", "FieldValueTypeInvalid"), "must be of type string"),
        ({"size": "big"}, ("spec.size", "FieldValueTypeInvalid"), "must be of type integer"),
        ({"size": 0}, ("spec.size", "FieldValueInvalid"), "greater than or equal to 1"),
        ({"size": 11}, ("spec.size", "FieldValueInvalid"), "less than or equal to 10"),
        (
            {"color": "green"},
            ("spec.color", "FieldValueNotSupported"),
            'Unsupported value: "green": supported values: "red", "blue"',
        ),
        ({"code": "ABC"}, ("spec.code", "FieldValueInvalid"), "should match '^[a-z]+$'"),
        ({"code": "a"}, ("spec.code", "FieldValueInvalid"), "at least 2 chars long"),
        ({"code": "abcdef"}, ("spec.code", "FieldValueTooLong"), "Too long"),
        ({"tags": ["a"] * 4}, ("spec.tags", "FieldValueTooMany"), "must have at most 3 items"),
        ({"tags": [1]}, ("spec.tags[0]", "FieldValueTypeInvalid"), "must be of type string"),
        ({"limits": {"a": "b"}}, ("spec.limits.a", "FieldValueTypeInvalid"), "type integer"),
        ({"parts": [{}]}, ("spec.parts[0].name", "FieldValueRequired"), "Required value"),
        (
            {"parts": [{"name": "a"}, {"name": "a"}]},
            ("spec.parts[1]", "FieldValueDuplicate"),
            'Duplicate value: {"name":"a"}',
        ),
    ],
)
def test_values_that_break_the_schema_are_invalid(
    api: Client, spec: dict[str, Any], cause: tuple[str, str], text: str
) -> None:
    """422 with field, kind of problem and rule."""
    reply = api.post(api.widgets(), widget("w", **spec))
    assert cause in reply.causes()
    assert text in reply.body["message"]
    assert reply.body["message"].startswith('Widget.conformance.example "w" is invalid: ')


def test_what_is_required_must_be_there(api: Client) -> None:
    """At the top level as well."""
    body = widget("w")
    del body["spec"]
    assert api.post(api.widgets(), body).causes() == [("spec", "FieldValueRequired"), UNCHECKED]


def test_rules_are_checked_with_their_messages(api: Client) -> None:
    """A message expression speaks of the values; a rule may point at a field."""
    reply = api.post(api.widgets(), widget("w", low=5, high=2))
    assert reply.causes() == [("spec.low", "FieldValueInvalid")]
    assert "low is above high" in reply.body["message"]
    reply = api.post(api.widgets(), widget("w", low=0, high=-1))
    assert "high is negative" in reply.body["message"]
    reply = api.post(api.widgets(), widget("w", parts=[{"name": "a"}, {"name": "b", "count": 13}]))
    assert reply.causes() == [("spec.parts[1]", "FieldValueInvalid")]
    assert "13 is unlucky" in reply.body["message"]


def test_rules_see_the_name_of_the_object(api: Client) -> None:
    """At the root, `self.metadata.name`."""
    reply = api.post(api.widgets(), widget("forbidden"))
    assert reply.code == 422
    assert "that name is taken" in reply.body["message"]


def test_rules_on_the_old_value_hold_for_updates_only(api: Client) -> None:
    """A transition may be forbidden although both states are fine."""
    api.post(api.widgets(), widget("w", size=3)).ok()
    api.patch(api.widgets("w"), {"spec": {"size": 4}}).ok()
    reply = api.patch(api.widgets("w"), {"spec": {"size": 2}})
    assert reply.causes() == [("spec", "FieldValueInvalid")]
    assert "size never shrinks" in reply.body["message"]


def test_a_status_write_is_validated(api: Client) -> None:
    """422, and the old status stays."""
    api.post(api.widgets(), widget("w")).ok()
    reply = api.patch(api.widgets("w", "status"), {"status": {"count": "many"}})
    assert reply.causes() == [("status.count", "FieldValueTypeInvalid"), UNCHECKED]
    assert "status" not in api.get(api.widgets("w")).ok()


def thing_crd(plural: str, **version: object) -> JsonObject:
    """Build the CRD of a cluster-scoped kind without rules."""
    crd: JsonObject = copy.deepcopy(WIDGET_CRD)
    crd["metadata"]["name"] = f"{plural}.things.example"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    crd["spec"] = {
        "group": "things.example",
        "scope": "Cluster",
        "names": {"kind": plural.capitalize(), "plural": plural},
        "versions": [served | version],
    }
    return crd


def thing(plural: str, name: str, **fields: object) -> JsonObject:
    """Build an object of such a kind."""
    kind = {"apiVersion": "things.example/v1", "kind": plural.capitalize()}
    return kind | {"metadata": {"name": name}} | fields


def until(holds: Callable[[], bool]) -> None:
    """Wait for what a real server does a moment later."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def define(api: Client) -> Iterator[Callable[[JsonObject], str]]:
    """Return a function that makes a CRD, waits for it and returns the path of its objects."""
    made: list[str] = []

    def make(crd: JsonObject) -> str:
        api.post(CRDS, crd).ok()
        made.append(crd["metadata"]["name"])
        path = f"/apis/things.example/v1/{crd['spec']['names']['plural']}"
        until(lambda: api.get(path).code == 200)
        return path

    yield make
    for name in made:
        api.delete(f"{CRDS}/{name}")


def test_a_definition_is_served_once_established_and_gone_once_deleted(
    api: Client, define: Callable[[JsonObject], str]
) -> None:
    """Its objects go with it, watches end, and the URL is not found any more."""
    crd = thing_crd("gadgets")
    path = define(crd)
    status = api.get(f"{CRDS}/gadgets.things.example").ok()["status"]
    conditions = {item["type"]: item["status"] for item in status["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert status["acceptedNames"]["listKind"] == "GadgetsList"
    first = api.post(path, thing("gadgets", "one", any="thing")).ok()
    assert first["any"] == "thing"
    assert "namespace" not in first["metadata"]
    version = first["metadata"]["resourceVersion"]
    with api.watch(path, resourceVersion=version) as watch:
        api.delete(f"{CRDS}/gadgets.things.example").ok()
        assert watch.next()["type"] == "DELETED"
        assert list(watch) == []
    until(lambda: api.get(path).code == 404)
    until(lambda: "gadgets" not in str(api.get("/apis/things.example/v1").body))
    define(crd)
    assert api.get(path).ok()["items"] == []


def test_a_changed_definition_counts_at_once(
    api: Client, define: Callable[[JsonObject], str]
) -> None:
    """A schema that is stricter applies to the next write."""
    path = define(thing_crd("gizmos"))
    api.post(path, thing("gizmos", "one", extra=1)).ok()
    schema = {"type": "object", "properties": {"size": {"type": "integer"}}}
    changed = thing_crd("gizmos", schema={"openAPIV3Schema": schema})
    api.patch(f"{CRDS}/gizmos.things.example", {"spec": changed["spec"]}).ok()

    def prunes() -> bool:
        made = api.post(path, thing("gizmos", "two", extra=1, size=2), dryRun="All").ok()
        assert made["size"] == 2
        return "extra" not in made

    until(prunes)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metadata": {"name": "wrong.name"}}, "metadata.name"),
        ({"scope": "Galaxy"}, "spec.scope"),
        ({"versions": []}, "spec.versions"),
    ],
)
def test_a_definition_must_make_sense(api: Client, change: JsonObject, field: str) -> None:
    """422 on the field."""
    crd = thing_crd("broken")
    metadata = change.get("metadata", {})
    crd["metadata"] |= metadata
    crd["spec"] |= {key: value for key, value in change.items() if key != "metadata"}
    assert field in [name for name, _ in api.post(CRDS, crd).causes()]


def test_a_rule_that_is_no_cel_is_refused_with_the_definition(api: Client) -> None:
    """422 on the rule, so that nobody finds out later."""
    rules = [{"rule": "self.size ==", "message": "x"}]
    schema = {"type": "object", "properties": {}, "x-kubernetes-validations": rules}
    crd = thing_crd("ruled", schema={"openAPIV3Schema": schema})
    reply = api.post(CRDS, crd)
    assert reply.code == 422
    assert "x-kubernetes-validations[0].rule" in reply.body["details"]["causes"][0]["field"]
    assert "compilation failed" in reply.body["message"]


def test_items_of_custom_lists_carry_their_kind(api: Client) -> None:
    """Unlike those of built-in kinds."""
    api.post(api.widgets(), widget("w")).ok()
    listing = api.get(api.widgets()).ok()
    assert (listing["kind"], listing["apiVersion"]) == ("WidgetList", "conformance.example/v1")
    assert [item["kind"] for item in listing["items"]] == ["Widget"]


def test_a_kind_without_status_url_counts_every_change_as_a_generation(
    api: Client, define: Callable[[JsonObject], str]
) -> None:
    """There the status is a field like any other."""
    path = define(thing_crd("plain"))
    made = api.post(path, thing("plain", "one", status={"a": 1})).ok()
    assert made["status"] == {"a": 1}
    after = api.patch(f"{path}/one", {"status": {"a": 2}}).ok()
    assert after["metadata"]["generation"] == 2
    assert api.get(f"{path}/one/status").code == 404


def test_an_object_of_a_custom_kind_must_say_what_it_is(api: Client) -> None:
    """Unlike built-in kinds, which the URL tells."""
    body = widget("w")
    status = api.post(api.widgets(), {k: v for k, v in body.items() if k != "kind"}).failed(
        400, "BadRequest"
    )
    assert "Object 'Kind' is missing" in status["message"]
    assert api.post(api.widgets(), body | {"kind": "Gadget"}).causes() == [
        ("kind", "FieldValueInvalid")
    ]
    status = api.post(api.widgets(), body | {"apiVersion": "v1"}).failed(400, "BadRequest")
    assert "does not match the expected API version" in status["message"]


def test_built_in_kinds_are_not_bound_by_namespaced_definitions(api: Client) -> None:
    """Names of resources are looked up by group."""
    api.post(api.config_maps(), config_map("w")).ok()
    api.get(api.widgets("w")).failed(404, "NotFound")
