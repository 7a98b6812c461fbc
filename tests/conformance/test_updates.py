"""Update and patch: versions, no-ops, generations, and the status that is kept apart."""

from __future__ import annotations

from tests.conformance.client import JSON_PATCH, STRATEGIC, Client, config_map, service, widget


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
    other = service("other")
    other["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    api.put(api.services("other"), other).failed(409, "Conflict")


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


def test_strategic_patches_put_what_is_new_first(api: Client) -> None:
    """What is known keeps its place; only the patch's own items follow the patch."""
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 443}]
    api.post(api.services(), service("web", "ClusterIP", ports=ports)).ok()
    patch = {"spec": {"ports": [{"port": 443, "name": "tls"}, {"port": 8080, "name": "alt"}]}}
    ports = api.patch(api.services("web"), patch, STRATEGIC).ok()["spec"]["ports"]
    assert [port["port"] for port in ports] == [80, 443, 8080]
    patch = {"spec": {"ports": [{"port": 9090, "name": "new"}]}}
    ports = api.patch(api.services("web"), patch, STRATEGIC).ok()["spec"]["ports"]
    assert [port["port"] for port in ports] == [9090, 80, 443, 8080]


def test_an_empty_map_is_as_good_as_none(api: Client) -> None:
    """The last label, annotation or data key takes the map with it."""
    body = config_map("one", labels={"a": "b"}, annotations={"c": "d"}, data={"e": "f"})
    api.post(api.config_maps(), body).ok()
    metadata = {"labels": {"a": None}, "annotations": {"c": None}}
    patch = {"metadata": metadata, "data": {"e": None}}
    after = api.patch(api.config_maps("one"), patch).ok()
    assert not after["metadata"].keys() & {"labels", "annotations"}
    assert "data" not in after


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
        "spec": {"sessionAffinity": "ClientIP"},
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


def test_force_is_for_applies_only(api: Client) -> None:
    """422 on other patches."""
    api.post(api.config_maps(), config_map("one")).ok()
    reply = api.patch(api.config_maps("one"), {}, force=True)
    assert reply.causes() == [("force", "FieldValueForbidden")]


def test_an_update_must_keep_the_name(api: Client) -> None:
    """400 if it is missing, also if a patch removes it."""
    api.post(api.config_maps(), config_map("one")).ok()
    for reply in (
        api.put(api.config_maps("one"), {"metadata": {}}),
        api.patch(api.config_maps("one"), {"metadata": {"name": None}}),
    ):
        assert "name must be provided" in reply.failed(400, "BadRequest")["message"]


def test_a_patch_to_something_undecodable_is_invalid(api: Client) -> None:
    """422 where a whole object would be a 400."""
    api.post(api.config_maps(), config_map("one")).ok()
    reply = api.patch(api.config_maps("one"), {"data": {"a": 1}})
    assert reply.causes() == [("patch", "FieldValueInvalid")]
    assert "cannot unmarshal number" in reply.body["message"]


def test_immutable_config_maps_stay_as_they_are(api: Client) -> None:
    """422 on data once `immutable` is set."""
    api.post(api.config_maps(), config_map("one", data={"a": "1"}, immutable=True)).ok()
    reply = api.patch(api.config_maps("one"), {"data": {"a": "2"}})
    assert ("data", "FieldValueForbidden") in reply.causes()
