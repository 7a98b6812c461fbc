"""LIST and WATCH: pages, versions, selectors, bookmarks, and what happens to old versions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.client import APPLY, Client, JsonObject, config_map, service


def names(listing: JsonObject) -> list[str]:
    """Return the names in a list, in its order."""
    return [item["metadata"]["name"] for item in listing["items"]]


def fill(api: Client, *wanted: str) -> str:
    """Create ConfigMaps and return the version of the last."""
    version = ""
    for name in wanted:
        made = api.post(api.config_maps(), config_map(name, labels={"name": name})).ok()
        version = made["metadata"]["resourceVersion"]
    return version


def test_a_list_is_sorted_by_name_and_tells_its_version(api: Client) -> None:
    """Items of built-in kinds carry no kind; the list does."""
    version = fill(api, "c", "a", "b")
    listing = api.get(api.config_maps()).ok()
    assert listing["kind"] == "ConfigMapList"
    assert listing["apiVersion"] == "v1"
    assert names(listing) == ["a", "b", "c"]
    assert int(listing["metadata"]["resourceVersion"]) >= int(version)
    assert "kind" not in listing["items"][0]


def test_a_list_across_namespaces_is_sorted_by_namespace_first(api: Client) -> None:
    """One list serves all namespaces."""
    fill(api, "z")
    pairs = [
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in api.get("/api/v1/configmaps").ok()["items"]
    ]
    assert (api.namespace, "z") in pairs
    assert pairs == sorted(pairs)


def test_pages_show_one_state_although_objects_change_meanwhile(api: Client) -> None:
    """All pages carry the version of the first, and nothing is missed or new."""
    fill(api, "a", "b", "c", "d", "e")
    first = api.get(api.config_maps(), limit=2).ok()
    assert names(first) == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 3
    api.delete(api.config_maps("d")).ok()
    fill(api, "bb")
    token = first["metadata"]["continue"]
    second = api.get(api.config_maps(), **{"limit": 2, "continue": token}).ok()
    assert names(second) == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    token = second["metadata"]["continue"]
    third = api.get(api.config_maps(), **{"limit": 2, "continue": token}).ok()
    assert names(third) == ["e"]
    assert "continue" not in third["metadata"]


def test_a_list_of_any_version_has_one_page(api: Client) -> None:
    """With resourceVersion=0 the limit does not count."""
    fill(api, "a", "b", "c")
    listing = api.get(api.config_maps(), limit=1, resourceVersion="0").ok()
    assert names(listing) == ["a", "b", "c"]
    assert not listing["metadata"].get("continue")


def test_pages_of_a_selection_count_selected_items_only(api: Client) -> None:
    """And do not tell how many remain."""
    fill(api, "a", "b", "c", "d")
    query: dict[str, object] = {"limit": 1, "labelSelector": "name in (b, d)"}
    first = api.get(api.config_maps(), **query).ok()
    assert names(first) == ["b"]
    assert "remainingItemCount" not in first["metadata"]
    query["continue"] = first["metadata"]["continue"]
    assert names(api.get(api.config_maps(), **query).ok()) == ["d"]


def test_an_expired_page_token_answers_410_with_a_way_to_go_on(
    api: Client, compact: Callable[[], None]
) -> None:
    """The new token continues in the present, inconsistently."""
    fill(api, "a", "b", "c")
    token = api.get(api.config_maps(), limit=1).ok()["metadata"]["continue"]
    fill(api, "bb")
    compact()
    status = api.get(api.config_maps(), **{"limit": 1, "continue": token}).failed(410, "Expired")
    assert "The provided continue parameter is too old" in status["message"]
    rest = api.get(api.config_maps(), **{"continue": status["metadata"]["continue"]}).ok()
    assert names(rest) == ["b", "bb", "c"]


def test_a_page_token_must_be_one(api: Client) -> None:
    """400."""
    api.get(api.config_maps(), **{"continue": "nonsense"}).failed(400, "BadRequest")


def test_exact_versions_show_the_past(api: Client, compact: Callable[[], None]) -> None:
    """Until they are compacted: then 410."""
    version = fill(api, "a", "b")
    fill(api, "c")
    api.delete(api.config_maps("a")).ok()
    query = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    past = api.get(api.config_maps(), **query).ok()
    assert names(past) == ["a", "b"]
    assert past["metadata"]["resourceVersion"] == version
    query["resourceVersionMatch"] = "NotOlderThan"
    assert names(api.get(api.config_maps(), **query).ok()) == ["b", "c"]
    compact()
    query["resourceVersionMatch"] = "Exact"
    api.get(api.config_maps(), **query).failed(410, "Expired")


def test_a_version_in_the_future_times_out(api: Client) -> None:
    """504 says that the version is too large."""
    status = api.get(api.config_maps(), resourceVersion="999999999").failed(504, "Timeout")
    assert "Too large resource version" in status["message"]
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"sendInitialEvents": "true"},
        {"watch": "true", "sendInitialEvents": "true"},
        {"watch": "true", "resourceVersionMatch": "NotOlderThan"},
    ],
)
def test_versions_and_initial_events_must_be_asked_for_as_documented(
    api: Client, query: dict[str, Any]
) -> None:
    """422 for combinations that have no meaning."""
    api.get(api.config_maps(), **query).failed(422, "Invalid")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=web", ["a", "b"]),
        ("app==web,tier=back", ["b"]),
        ("app!=web", ["c", "d"]),
        ("app", ["a", "b", "c"]),
        ("!app", ["d"]),
        ("app in (db, web)", ["a", "b", "c"]),
        ("app notin (web)", ["c", "d"]),
        ("app in (web),tier notin (back)", ["a"]),
        ("size>5", ["c"]),
        ("size<5", ["a"]),
    ],
)
def test_label_selectors_select(api: Client, selector: str, expected: list[str]) -> None:
    """Equality, sets, existence and comparison."""
    labels = {
        "a": {"app": "web", "size": "1"},
        "b": {"app": "web", "tier": "back"},
        "c": {"app": "db", "size": "10"},
        "d": {"other": "x"},
    }
    for name, given in labels.items():
        api.post(api.config_maps(), config_map(name, labels=given)).ok()
    assert names(api.get(api.config_maps(), labelSelector=selector).ok()) == expected


@pytest.mark.parametrize("query", [{"labelSelector": "a=b=c"}, {"fieldSelector": "data.x=1"}])
def test_selectors_that_make_no_sense_are_bad_requests(api: Client, query: dict[str, Any]) -> None:
    """400; fields are selectable only if the kind says so."""
    api.get(api.config_maps(), **query).failed(400, "BadRequest")


def test_field_selectors_select_what_the_kind_offers(api: Client) -> None:
    """Names everywhere, the type of a Service, the object of an Event."""
    api.post(api.services(), service("lb")).ok()
    api.post(api.services(), service("inner", "ClusterIP")).ok()
    kinds = api.get(api.services(), fieldSelector="spec.type=LoadBalancer").ok()
    assert names(kinds) == ["lb"]
    query = "metadata.name=inner,metadata.namespace!=other"
    assert names(api.get(api.services(), fieldSelector=query).ok()) == ["inner"]
    events = f"/api/v1/namespaces/{api.namespace}/events"
    for name in ("lb", "inner"):
        involved = {"kind": "Service", "namespace": api.namespace, "name": name}
        body = {"metadata": {"name": f"{name}.1"}, "involvedObject": involved, "reason": "Test"}
        api.post(events, body).ok()
    query = "involvedObject.name=lb,involvedObject.kind=Service,reason=Test"
    assert names(api.get(events, fieldSelector=query).ok()) == ["lb.1"]


def test_a_watch_goes_on_where_a_list_ended(api: Client) -> None:
    """Nothing is lost in between, and every line carries the whole object."""
    fill(api, "a")
    version = api.get(api.config_maps()).ok()["metadata"]["resourceVersion"]
    fill(api, "b")
    api.patch(api.config_maps("a"), {"data": {"x": "1"}}).ok()
    last = api.delete(api.config_maps("b")).ok()
    assert last["status"] == "Success"
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        events = [watch.next() for _ in range(3)]
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert versions[0] > int(version)
    assert events[0]["object"]["kind"] == "ConfigMap"
    assert events[1]["object"]["data"] == {"x": "1"}
    assert events[2]["object"]["metadata"]["name"] == "b"


@pytest.mark.parametrize("version", ["", "0"])
def test_a_watch_from_nowhere_begins_with_what_there_is(api: Client, version: str) -> None:
    """ADDED for each object, then changes."""
    fill(api, "b", "a")
    query = {"resourceVersion": version} if version else {}
    with api.watch(api.config_maps(), **query) as watch:
        assert sorted(watch.take(2)) == [("ADDED", "a"), ("ADDED", "b")]
        fill(api, "c")
        assert watch.take(1) == [("ADDED", "c")]


def test_a_watch_sees_its_own_namespace_only(api: Client) -> None:
    """Although another one is busy."""
    version = fill(api, "a")
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        api.post("/api/v1/namespaces/default/configmaps", config_map("elsewhere")).ok()
        api.delete("/api/v1/namespaces/default/configmaps/elsewhere").ok()
        fill(api, "b")
        assert watch.take(1) == [("ADDED", "b")]


def test_entering_and_leaving_a_selection_is_added_and_deleted(api: Client) -> None:
    """The object of the DELETED event is the last that was selected, under the new version."""
    version = fill(api, "a")
    with api.watch(api.config_maps(), resourceVersion=version, labelSelector="color=red") as watch:
        api.patch(api.config_maps("a"), {"metadata": {"labels": {"color": "red"}}}).ok()
        api.patch(api.config_maps("a"), {"data": {"x": "1"}}).ok()
        left = api.patch(api.config_maps("a"), {"metadata": {"labels": {"color": "blue"}}}).ok()
        api.patch(api.config_maps("a"), {"data": {"x": "2"}}).ok()
        api.patch(api.config_maps("a"), {"metadata": {"labels": {"color": "red"}}}).ok()
        events = [watch.next() for _ in range(4)]
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    gone = events[2]["object"]["metadata"]
    assert gone["labels"]["color"] == "red"
    assert gone["resourceVersion"] == left["metadata"]["resourceVersion"]


def test_a_watch_by_field_follows_one_object(api: Client) -> None:
    """As kubectl does when it waits."""
    version = fill(api, "a")
    with api.watch(
        api.config_maps(), resourceVersion=version, fieldSelector="metadata.name=wanted"
    ) as watch:
        fill(api, "other", "wanted")
        api.delete(api.config_maps("other")).ok()
        api.delete(api.config_maps("wanted")).ok()
        assert watch.take(2) == [("ADDED", "wanted"), ("DELETED", "wanted")]


def test_initial_events_end_with_an_annotated_bookmark(api: Client) -> None:
    """Streaming lists: the bookmark tells where the state ends and changes begin."""
    fill(api, "a", "b")
    with api.watch(
        api.config_maps(),
        sendInitialEvents=True,
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks=True,
    ) as watch:
        assert sorted(watch.take(2)) == [("ADDED", "a"), ("ADDED", "b")]
        mark = watch.next()
        fill(api, "c")
        assert watch.take(1) == [("ADDED", "c")]
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["kind"] == "ConfigMap"
    metadata = mark["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(metadata["resourceVersion"]) > 0


def test_too_old_a_version_is_told_in_the_stream(api: Client, compact: Callable[[], None]) -> None:
    """HTTP 200 and an ERROR event with a Status of 410, after which the stream ends."""
    version = fill(api, "a")
    fill(api, "b")
    compact()
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        assert watch.code == 200
        events = list(watch)
    assert [event["type"] for event in events] == ["ERROR"]
    status = events[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert f"too old resource version: {version}" in status["message"]


def test_the_present_version_survives_compaction(api: Client, compact: Callable[[], None]) -> None:
    """Who has seen everything may go on."""
    fill(api, "a")
    compact()
    version = api.get(api.config_maps()).ok()["metadata"]["resourceVersion"]
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        fill(api, "b")
        assert watch.take(1) == [("ADDED", "b")]


def test_a_version_must_be_a_number(api: Client) -> None:
    """400 for LIST, 500 for WATCH."""
    api.get(api.config_maps(), resourceVersion="abc").failed(400, "BadRequest")
    with api.watch(api.config_maps(), resourceVersion="abc") as watch:
        assert watch.code == 500
        assert 'parsing "abc": invalid syntax' in watch.read()["message"]


def test_a_watch_ends_after_its_timeout(api: Client) -> None:
    """Properly, so that clients just open another."""
    version = fill(api, "a")
    began = time.monotonic()
    with api.watch(api.config_maps(), resourceVersion=version, timeoutSeconds=1) as watch:
        assert list(watch) == []
    assert 0.5 < time.monotonic() - began < 10


def test_deleting_a_collection_deletes_what_is_selected(api: Client) -> None:
    """And nothing else."""
    fill(api, "a", "b", "c")
    api.delete(api.config_maps(), labelSelector="name in (a, c)").ok()
    assert names(api.get(api.config_maps()).ok()) == ["b"]


def test_a_list_can_be_reduced_to_metadata(api: Client) -> None:
    """PartialObjectMetadataList, for clients that want no more."""
    fill(api, "a")
    form = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listing = api.get(api.config_maps(), accept=form).ok()
    assert listing["kind"] == "PartialObjectMetadataList"
    assert [item["kind"] for item in listing["items"]] == ["PartialObjectMetadata"]
    assert "data" not in listing["items"][0]


def test_an_apply_that_creates_is_seen_as_added(api: Client) -> None:
    """Watchers cannot tell how an object came to be."""
    version = fill(api, "a")
    with api.watch(api.config_maps(), resourceVersion=version) as watch:
        body = config_map("applied", data={"x": "1"})
        api.patch(api.config_maps("applied"), body, APPLY, fieldManager="me").ok()
        assert watch.take(1) == [("ADDED", "applied")]
