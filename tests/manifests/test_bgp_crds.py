"""The CRDs of BGP, read as data: every field that the sidecar reads, described, not tighter."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import yaml

from purelb.api.bgp import BgpConfiguration
from purelb.api.bgpstatus import BgpNodeStatus
from tests.manifests.test_crds import Schema, struct_fields, walk

CRDS = Path(__file__).parents[2] / "crds"
PLURALS = ("configs", "bgpnodestatuses")
BOUND_KEYS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "enum")
U32 = {"minimum": 0, "maximum": 0xFFFFFFFF}
# All that k8gobgp's schema has, and the ASN's own range, which its int32 cut in half.
BOUNDS: Mapping[str, Mapping[str, int]] = {
    ".spec.global.asn": U32,
    ".spec.global.nodeStatus.heartbeatSeconds": {"minimum": 10},
    ".spec.neighbors[].config.peerAsn": U32,
    ".spec.neighbors[].config.localAsn": U32,
    ".spec.peerGroups[].config.peerAsn": U32,
    ".spec.peerGroups[].config.localAsn": U32,
    ".spec.policyDefinitions[].statements[].actions.asPrepend.asn": U32,
    ".spec.policyDefinitions[].statements[].actions.localPref": U32,
}
REQUIRED = {
    "": {"spec"},
    ".spec": {"global"},
    ".spec.global": {"asn"},
    ".spec.neighbors[]": {"config"},
    ".spec.neighbors[].config": {"peerAsn"},
    ".spec.neighbors[].config.authPasswordSecretRef": {"key"},
    ".spec.neighbors[].afiSafis[]": {"family", "enabled"},
    ".spec.neighbors[].afiSafis[].prefixLimit": {"maxPrefixes"},
    ".spec.neighbors[].timers": {"config"},
    ".spec.neighbors[].routeReflector": {"routeReflectorClient", "routeReflectorClusterId"},
    ".spec.neighbors[].ebgpMultihop": {"enabled"},
    ".spec.neighbors[].ttlSecurity": {"enabled"},
    ".spec.neighbors[].nodeSelector.matchExpressions[]": {"key", "operator"},
    ".spec.peerGroups[]": {"config"},
    ".spec.peerGroups[].config": {"peerGroupName"},
    ".spec.peerGroups[].config.authPasswordSecretRef": {"key"},
    ".spec.peerGroups[].afiSafis[]": {"family", "enabled"},
    ".spec.peerGroups[].afiSafis[].prefixLimit": {"maxPrefixes"},
    ".spec.peerGroups[].timers": {"config"},
    ".spec.peerGroups[].nodeSelector.matchExpressions[]": {"key", "operator"},
    ".spec.dynamicNeighbors[]": {"prefix", "peerGroup"},
    ".spec.vrfs[]": {"name"},
    ".spec.definedSets[]": {"type", "name"},
    ".spec.definedSets[].prefixes[]": {"ipPrefix"},
    ".spec.policyDefinitions[]": {"name", "statements"},
    ".spec.policyDefinitions[].statements[]": {"name", "conditions", "actions"},
    **{
        f".spec.policyDefinitions[].statements[].conditions.{name}": {"name"}
        for name in ("prefixSet", "neighborSet", "asPathSet", "communitySet")
    },
    ".spec.policyDefinitions[].statements[].actions": {"routeAction"},
    ".spec.policyDefinitions[].statements[].actions.community": {"type", "communities"},
    ".spec.policyDefinitions[].statements[].actions.med": {"type", "value"},
    ".spec.policyDefinitions[].statements[].actions.asPrepend": {"asn"},
    ".spec.netlinkExport.rules[]": {"name"},
}
NAMES = {
    "configs": ("BGPConfiguration", "config", ["bgpconfig"], "Namespaced"),
    "bgpnodestatuses": ("BGPNodeStatus", "bgpnodestatus", ["bgpns"], "Cluster"),
}
COLUMNS = (
    ("Node", "string", ".status.nodeName"),
    ("RouterID", "string", ".status.routerID"),
    ("Healthy", "boolean", ".status.healthy"),
    ("Neighbors", "integer", ".status.neighborCount"),
    ("LastUpdated", "date", ".status.lastUpdated"),
    ("Age", "date", ".metadata.creationTimestamp"),
)


def load(plural: str) -> Schema:
    """Return the CRD of a kind."""
    crd: Schema = yaml.safe_load((CRDS / f"{plural}.bgp.purelb.io.yaml").read_text())
    return crd


def version(plural: str) -> Schema:
    """Return its only version."""
    (only,) = load(plural)["spec"]["versions"]
    found: Schema = only
    return found


def root(plural: str) -> Schema:
    """Return the schema of the whole object."""
    schema: Schema = version(plural)["schema"]["openAPIV3Schema"]
    return schema


def fields(plural: str) -> dict[str, Schema]:
    """Return every field by its path."""
    return dict(walk(root(plural)))


@pytest.mark.parametrize("plural", PLURALS)
def test_kinds_are_called_as_in_purelb(plural: str) -> None:
    """Group, version and all names."""
    spec, only = load(plural)["spec"], version(plural)
    names = spec["names"]
    found = (names["kind"], names["singular"], names["shortNames"], spec["scope"])
    assert found == NAMES[plural]
    assert (spec["group"], only["name"], only["storage"]) == ("bgp.purelb.io", "v1", True)
    assert only["subresources"] == {"status": {}}


def test_columns_are_purelbs_in_order() -> None:
    """Only a node's status has any."""
    shown = version("bgpnodestatuses")["additionalPrinterColumns"]
    assert tuple((one["name"], one["type"], one["jsonPath"]) for one in shown) == COLUMNS
    assert "additionalPrinterColumns" not in version("configs")


@pytest.mark.parametrize("plural", PLURALS)
def test_kubectl_explain_has_a_text_for_every_field(plural: str) -> None:
    """All but metadata, where API servers refuse a description."""
    assert [path for path, one in fields(plural).items() if not one.get("description")] == [
        ".metadata"
    ]


def test_the_sidecar_reads_exactly_the_fields_of_the_schema() -> None:
    """A misspelled name on either side would silently never be read."""
    struct = msgspec.inspect.type_info(BgpConfiguration)
    assert isinstance(struct, msgspec.inspect.StructType)
    read = {path for path, _ in struct_fields(struct, "") if path.startswith(".spec")}
    schema = {path for path in fields("configs") if path.startswith(".spec")}
    assert read <= schema
    # Items of lists and of maps are part of their field.
    assert {path for path in schema - read if not path.endswith("[]")} == set()


def test_the_status_of_a_node_has_exactly_the_fields_of_the_schema() -> None:
    """Sidecars, the plugin and the schema speak of one object."""
    struct = msgspec.inspect.type_info(BgpNodeStatus)
    assert isinstance(struct, msgspec.inspect.StructType)
    told = {path for path, _ in struct_fields(struct, "") if path.startswith(".status.")}
    schema = {path for path in fields("bgpnodestatuses") if path.startswith(".status.")}
    assert {path for path in schema ^ told if not path.endswith("[]")} == set()


def test_nothing_is_required_that_the_contract_does_not_require() -> None:
    """A field that becomes required refuses manifests that users have."""
    found = {"": root("configs"), **fields("configs")}
    required = {
        path: set(one["required"])
        for path, one in found.items()
        if "required" in one and not path.startswith(".status")
    }
    assert required == REQUIRED


def test_no_value_is_refused_that_k8gobgp_takes() -> None:
    """What makes no sense is said by conditions; stored objects must stay writable."""
    bounds = {
        path: {key: one[key] for key in BOUND_KEYS if key in one}
        for path, one in fields("configs").items()
        if path.startswith(".spec")
    }
    assert {path: found for path, found in bounds.items() if found} == dict(BOUNDS)
    integers = {
        path: one.get("format")
        for path, one in fields("configs").items()
        if one.get("type") == "integer"
    }
    assert set(integers.values()) == {"int64"}
