"""Discovery, OpenAPI, tables, health: what kubectl asks before and after everything else."""

from __future__ import annotations

import pytest

from tests.conformance.client import Client, JsonObject, service, widget

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
def test_health_is_told_in_two_letters(api: Client, path: str) -> None:
    """As text."""
    reply = api.get(path)
    assert (reply.code, reply.body) == (200, "ok")


def test_the_version_has_what_clients_parse(api: Client) -> None:
    """Major, minor and a version with a v."""
    version = api.get("/version").ok()
    assert version["major"] == "1"
    assert version["gitVersion"].startswith("v1.")


def test_legacy_discovery_lists_groups_and_resources(api: Client) -> None:
    """Each resource with its verbs, subresources as entries of their own."""
    assert api.get("/api").ok()["versions"] == ["v1"]
    groups = {group["name"]: group for group in api.get("/apis").ok()["groups"]}
    assert groups["conformance.example"]["preferredVersion"]["version"] == "v1"
    assert {"coordination.k8s.io", "discovery.k8s.io", "apiextensions.k8s.io"} <= groups.keys()
    core = {entry["name"]: entry for entry in api.get("/api/v1").ok()["resources"]}
    assert core["services"]["shortNames"] == ["svc"]
    assert core["services"]["namespaced"] is True
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(
        core["services"]["verbs"]
    )
    assert "services/status" in core
    assert core["namespaces"]["namespaced"] is False
    ours = api.get("/apis/conformance.example/v1").ok()["resources"]
    assert [entry["name"] for entry in ours] == ["widgets", "widgets/status"]
    assert api.get("/apis/conformance.example/v9").code == 404


def test_aggregated_discovery_says_the_same_in_one_answer(api: Client) -> None:
    """In the newest version the client accepts."""
    reply = api.get("/apis", accept=AGGREGATED)
    assert reply.ok()["kind"] == "APIGroupDiscoveryList"
    assert reply.body["apiVersion"] == "apidiscovery.k8s.io/v2"
    assert "as=APIGroupDiscoveryList" in reply.headers["Content-Type"]
    groups = {item["metadata"]["name"]: item for item in reply.body["items"]}
    (version,) = groups["conformance.example"]["versions"]
    (resource,) = version["resources"]
    assert resource["resource"] == "widgets"
    assert resource["scope"] == "Namespaced"
    assert [sub["subresource"] for sub in resource["subresources"]] == ["status"]
    (core,) = api.get("/api", accept=AGGREGATED).ok()["items"]
    assert "services" in [entry["resource"] for entry in core["versions"][0]["resources"]]


def test_openapi_has_the_schemas_with_their_descriptions(api: Client) -> None:
    """And says that dry runs and field validation are understood."""
    paths = api.get("/openapi/v3").ok()["paths"]
    document = api.get(paths["apis/conformance.example/v1"]["serverRelativeURL"]).ok()
    schemas = [
        schema
        for schema in document["components"]["schemas"].values()
        if any(gvk["kind"] == "Widget" for gvk in schema.get("x-kubernetes-group-version-kind", ()))
    ]
    assert schemas[0]["description"] == "A thing to test with."
    operation = next(
        item["patch"] for path, item in document["paths"].items() if path.endswith("/{name}")
    )
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert {"dryRun", "fieldValidation"} <= names
    core = api.get(paths["api/v1"]["serverRelativeURL"]).ok()
    assert any(path.endswith("/services/{name}") for path in core["paths"])


def rows(table: JsonObject) -> list[dict[str, object]]:
    """Return the cells of each row by column name."""
    names = [column["name"] for column in table["columnDefinitions"]]
    return [dict(zip(names, row["cells"], strict=True)) for row in table["rows"]]


def test_a_table_of_services_shows_what_people_look_for(api: Client) -> None:
    """Pending first, then the address."""
    made = api.post(api.services(), service("web")).ok()
    table = api.get(api.services(), accept=TABLE).ok()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    (row,) = rows(table)
    port = made["spec"]["ports"][0]["nodePort"]
    assert {key: row[key] for key in ("Name", "Type", "Cluster-IP", "External-IP", "Port(s)")} == {
        "Name": "web",
        "Type": "LoadBalancer",
        "Cluster-IP": made["spec"]["clusterIP"],
        "External-IP": "<pending>",
        "Port(s)": f"80:{port}/TCP",
    }
    assert row["Selector"] == "app=web"
    assert str(row["Age"]).endswith("s")
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    api.patch(api.services("web", "status"), status).ok()
    one = api.get(api.services("web"), accept=TABLE, includeObject="Object").ok()
    assert rows(one)[0]["External-IP"] == "192.0.2.1"
    assert one["rows"][0]["object"]["kind"] == "Service"


def test_a_table_of_a_custom_kind_has_the_columns_of_its_definition(api: Client) -> None:
    """Absent values are null, lists are JSON, wide columns have a priority."""
    api.post(api.widgets(), widget("a", size=3)).ok()
    api.post(api.widgets(), widget("b", tags=["x", "y"])).ok()
    conditions = [{"type": "Other", "status": "No"}, {"type": "Ready", "status": "True"}]
    api.patch(api.widgets("b", "status"), {"status": {"conditions": conditions}}).ok()
    table = api.get(api.widgets(), accept=TABLE).ok()
    assert rows(table) == [
        {"Name": "a", "Size": 3, "Ready": None, "Tags": None},
        {"Name": "b", "Size": 1, "Ready": "True", "Tags": '["x","y"]'},
    ]
    priorities = {item["name"]: item["priority"] for item in table["columnDefinitions"]}
    assert priorities == {"Name": 0, "Size": 0, "Ready": 0, "Tags": 1}


def test_a_watch_can_speak_in_tables(api: Client) -> None:
    """One row for each event; the columns come with the first."""
    made = api.post(api.widgets(), widget("a")).ok()
    version = made["metadata"]["resourceVersion"]
    with api.watch(api.widgets(), resourceVersion=version, accept=TABLE) as watch:
        api.post(api.widgets(), widget("b", size=2)).ok()
        api.patch(api.widgets("b"), {"spec": {"size": 3}}).ok()
        first, second = watch.next(), watch.next()
    assert first["object"]["kind"] == "Table"
    assert rows(first["object"])[0]["Size"] == 2
    assert not second["object"].get("columnDefinitions")
    assert second["object"]["rows"][0]["cells"][:2] == ["b", 3]


def test_unknown_paths_are_not_found(api: Client) -> None:
    """In plain text, without a Status."""
    for path in ("/nonsense", "/apis/no.such/v1", "/apis/no.such/v1/things"):
        reply = api.get(path)
        assert (reply.code, reply.body) == (404, "404 page not found\n")
    assert api.get("/openapi/v3/apis/no.such/v1").code == 404
