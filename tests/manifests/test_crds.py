"""The CRD files, read as data: every field PureLB's users rely on is there, described, not tighter.

What an API server makes of them is tested in `tests/component/test_crd_admission.py`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from purelb.api import resources

Schema = Mapping[str, Any]

CRDS = Path(__file__).parents[2] / "crds"
NAMESPACE = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
AGGREGATION = "^(default|/([89]|[1-9][0-9]|1[01][0-9]|12[0-8]))$"
COUNT = {"type": "integer", "format": "int64", "minimum": 0}
SECONDS = {"type": "integer", "minimum": 0}
RULE_KEYS = ("type", "format", "default", "enum", "pattern")
BOUND_KEYS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def load(plural: str) -> Schema:
    """Return the CRD of a kind."""
    crd: Schema = yaml.safe_load((CRDS / f"{plural}.purelb.io.yaml").read_text())
    return crd


def version(plural: str) -> Schema:
    """Return the only version of a kind."""
    (only,) = load(plural)["spec"]["versions"]
    entry: Schema = only
    return entry


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every field with its path; `[]` stands for items of a list and values of a map."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from walk(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield f"{path}[]", schema[key]
            yield from walk(schema[key], f"{path}[]")


def fields(plural: str) -> dict[str, Schema]:
    """Return every field of a kind by its path."""
    return dict(walk(version(plural)["schema"]["openAPIV3Schema"]))


def rules(schema: Schema) -> dict[str, Any]:
    """Return what a field's schema demands or fills in."""
    return {key: schema[key] for key in RULE_KEYS + BOUND_KEYS if key in schema}


def pool(path: str) -> dict[str, dict[str, Any]]:
    """Return the contract of one AddressPool."""
    return {
        path: {"type": "object"},
        f"{path}.pool": {"type": "string"},
        f"{path}.subnet": {"type": "string"},
        f"{path}.aggregation": {"type": "string", "pattern": AGGREGATION},
    }


def pools(path: str) -> dict[str, dict[str, Any]]:
    """Return the contract of `local` or `remote`, without what only one of them has."""
    found: dict[str, dict[str, Any]] = {
        path: {"type": "object"},
        f"{path}.multiPool": {"type": "boolean", "default": False},
        f"{path}.balancePools": {"type": "boolean", "default": False},
    }
    for name in ("v4pool", "v6pool"):
        found |= pool(f"{path}.{name}") | pool(f"{path}.{name}s[]")
        found[f"{path}.{name}s"] = {"type": "array"}
    return found


def lifetimes(path: str) -> dict[str, dict[str, Any]]:
    """Return the contract of one half of `addressConfig`."""
    return {
        path: {"type": "object"},
        f"{path}.validLifetime": SECONDS,
        f"{path}.preferredLifetime": SECONDS,
        f"{path}.noPrefixRoute": {"type": "boolean"},
    }


OBJECT: dict[str, dict[str, Any]] = {
    ".apiVersion": {"type": "string"},
    ".kind": {"type": "string"},
    ".metadata": {"type": "object"},
    ".spec": {"type": "object"},
    ".status": {"type": "object"},
}
CONDITION: dict[str, dict[str, Any]] = {
    ".status.conditions": {"type": "array"},
    ".status.conditions[]": {"type": "object"},
    ".status.conditions[].type": {
        "type": "string",
        "maxLength": 316,
        "pattern": (
            r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        ),
    },
    ".status.conditions[].status": {"type": "string", "enum": ["True", "False", "Unknown"]},
    ".status.conditions[].reason": {
        "type": "string",
        "minLength": 1,
        "maxLength": 1024,
        "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    },
    ".status.conditions[].message": {"type": "string", "maxLength": 32768},
    ".status.conditions[].lastTransitionTime": {"type": "string", "format": "date-time"},
    ".status.conditions[].observedGeneration": COUNT,
}
SERVICE_GROUP: dict[str, dict[str, Any]] = {
    **OBJECT,
    **pools(".spec.local"),
    ".spec.local.skipIPv6DAD": {"type": "boolean", "default": False},
    ".spec.local.fencing": {"type": "string", "enum": ["strict", "fast", "available"]},
    ".spec.local.nonRevertive": {"type": "boolean"},
    **pools(".spec.remote"),
    ".spec.external": {"type": "object"},
    ".spec.external.provider": {"type": "string", "minLength": 1},
    ".spec.external.socket": {"type": "string", "default": "/var/run/purelb/ipam.sock"},
    ".spec.external.announce": {"type": "string", "enum": ["local", "remote"]},
    ".spec.namespaces": {"type": "array", "maxItems": 1024},
    ".spec.namespaces[]": {"type": "string", "maxLength": 63, "pattern": NAMESPACE},
    ".spec.enforceNamespaces": {"type": "boolean", "default": False},
    ".spec.namespaceDefault": {"type": "boolean", "default": False},
    ".spec.reservations": {"type": "array", "maxItems": 1024},
    ".spec.reservations[]": {"type": "object"},
    ".spec.reservations[].address": {
        "type": "string",
        "maxLength": 45,
        "pattern": "^[0-9a-fA-F:.]+$",
    },
    ".spec.reservations[].service": {
        "type": "string",
        "maxLength": 127,
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z]([-a-z0-9]*[a-z0-9])?$",
    },
    ".spec.coolDown": {
        "type": "string",
        "maxLength": 32,
        "pattern": r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$",
    },
    ".status.announce": {"type": "string"},
    ".status.ipam": {"type": "string"},
    ".status.addresses": {"type": "array"},
    ".status.addresses[]": {"type": "string"},
    ".status.allocatedIPv4": COUNT,
    ".status.allocatedIPv6": COUNT,
    ".status.availableIPv4": COUNT,
    ".status.availableIPv6": COUNT,
    ".status.boundNamespaces": {"type": "array"},
    ".status.boundNamespaces[]": {"type": "string"},
    **CONDITION,
}
SELECTOR = ".spec.nodeSelector"
GARP = ".spec.local.garpConfig"
NODE_AGENT: dict[str, dict[str, Any]] = {
    **OBJECT,
    SELECTOR: {"type": "object"},
    f"{SELECTOR}.matchLabels": {"type": "object"},
    f"{SELECTOR}.matchLabels[]": {"type": "string"},
    f"{SELECTOR}.matchExpressions": {"type": "array"},
    f"{SELECTOR}.matchExpressions[]": {"type": "object"},
    f"{SELECTOR}.matchExpressions[].key": {"type": "string"},
    f"{SELECTOR}.matchExpressions[].operator": {"type": "string"},
    f"{SELECTOR}.matchExpressions[].values": {"type": "array"},
    f"{SELECTOR}.matchExpressions[].values[]": {"type": "string"},
    ".spec.local": {"type": "object"},
    ".spec.local.localInterface": {"type": "string", "default": "default"},
    ".spec.local.dummyInterface": {"type": "string", "default": "kube-lb0"},
    ".spec.local.nonRevertive": {"type": "boolean"},
    ".spec.local.interfaces": {"type": "array"},
    ".spec.local.interfaces[]": {"type": "string"},
    GARP: {"type": "object"},
    f"{GARP}.enabled": {"type": "boolean", "default": True},
    f"{GARP}.initialDelay": {"type": "string", "default": "100ms"},
    f"{GARP}.count": {"type": "integer", "default": 3, "minimum": 1, "maximum": 10},
    f"{GARP}.interval": {"type": "string", "default": "500ms"},
    f"{GARP}.verifyBeforeSend": {"type": "boolean", "default": True},
    f"{GARP}.refreshInterval": {"type": "string"},
    ".spec.local.addressConfig": {"type": "object"},
    **lifetimes(".spec.local.addressConfig.localInterface"),
    **lifetimes(".spec.local.addressConfig.dummyInterface"),
    ".status.activeLeases": {"type": "integer"},
}
POOL_PATHS = {
    f".spec.{kind}.{name}"
    for kind in ("local", "remote")
    for name in ("v4pool", "v6pool", "v4pools[]", "v6pools[]")
}
REQUIRED = {
    "servicegroups": {
        "": {"spec"},
        **{path: {"pool", "subnet"} for path in POOL_PATHS},
        ".spec.reservations[]": {"address", "service"},
        ".spec.external": {"provider", "announce"},
        ".status": {"allocatedIPv4", "allocatedIPv6"},
        ".status.conditions[]": {"type", "status", "reason", "message", "lastTransitionTime"},
    },
    "lbnodeagents": {"": {"spec"}, f"{SELECTOR}.matchExpressions[]": {"key", "operator"}},
}
CONTRACT = {"servicegroups": SERVICE_GROUP, "lbnodeagents": NODE_AGENT}
KINDS = sorted(CONTRACT)
COLUMNS = (
    ("Announce", ".status.announce", "string", 0),
    ("IPAM", ".status.ipam", "string", 0),
    ("Allocated-V4", ".status.allocatedIPv4", "integer", 0),
    ("Allocated-V6", ".status.allocatedIPv6", "integer", 0),
    ("Addresses", ".status.addresses", "string", 1),
    ("Available-V4", ".status.availableIPv4", "integer", 1),
    ("Available-V6", ".status.availableIPv6", "integer", 1),
    ("Namespaces", ".spec.namespaces", "string", 1),
    ("Enforced", ".spec.enforceNamespaces", "boolean", 1),
    ("Bound", ".status.boundNamespaces", "string", 1),
    ("Age", ".metadata.creationTimestamp", "date", 0),
)


@pytest.mark.parametrize("plural", KINDS)
def test_every_field_is_the_contracts_in_type_default_and_bounds(plural: str) -> None:
    """No field is missing, added, or bounded in a way that PureLB's own schema is not."""
    assert {path: rules(schema) for path, schema in fields(plural).items()} == CONTRACT[plural]


@pytest.mark.parametrize("plural", KINDS)
def test_nothing_is_required_that_the_contract_does_not_require(plural: str) -> None:
    """A field that becomes required refuses manifests that users have."""
    root = version(plural)["schema"]["openAPIV3Schema"]
    found = {"": root, **fields(plural)}
    required = {path: set(s["required"]) for path, s in found.items() if "required" in s}
    assert required == REQUIRED[plural]


@pytest.mark.parametrize("plural", KINDS)
def test_kubectl_explain_has_a_text_for_every_field(plural: str) -> None:
    """All but metadata, where API servers refuse a description and use their own."""
    bare = [path for path, schema in fields(plural).items() if not schema.get("description")]
    assert bare == [".metadata"]


@pytest.mark.parametrize("plural", KINDS)
def test_the_only_version_is_v2_served_and_stored(plural: str) -> None:
    """Objects stored by PureLB stay readable without conversion."""
    crd, only = load(plural)["spec"], version(plural)
    assert (crd["group"], crd["scope"]) == ("purelb.io", "Namespaced")
    assert (only["name"], only["served"], only["storage"]) == ("v2", True, True)


@pytest.mark.parametrize(
    ("plural", "names"),
    [
        (
            "servicegroups",
            {
                "kind": "ServiceGroup",
                "listKind": "ServiceGroupList",
                "plural": "servicegroups",
                "singular": "servicegroup",
                "shortNames": ["sg", "sgs"],
            },
        ),
        (
            "lbnodeagents",
            {
                "kind": "LBNodeAgent",
                "listKind": "LBNodeAgentList",
                "plural": "lbnodeagents",
                "singular": "lbnodeagent",
                "shortNames": ["lbna", "lbnas"],
            },
        ),
    ],
)
def test_kinds_are_called_as_in_purelb(plural: str, names: Schema) -> None:
    """Scripts use the short names."""
    assert load(plural)["metadata"]["name"] == f"{plural}.purelb.io"
    assert load(plural)["spec"]["names"] == names


def test_service_group_columns_are_purelbs_in_order() -> None:
    """`kubectl get sg` and `-o wide` look as before."""
    found = version("servicegroups")["additionalPrinterColumns"]
    shown = [(c["name"], c["jsonPath"], c["type"], c.get("priority", 0)) for c in found]
    assert tuple(shown) == COLUMNS


def test_only_service_groups_have_columns_and_the_status_subresource() -> None:
    """LBNodeAgent's status is an ordinary field that nobody writes."""
    assert version("servicegroups")["subresources"] == {"status": {}}
    assert not version("lbnodeagents").keys() & {"subresources", "additionalPrinterColumns"}


def test_messages_begin_as_purelbs_and_say_what_to_write() -> None:
    """Tools match the beginning; the rest is for the person who made the mistake."""
    found = [r["message"] for r in fields("servicegroups")[".spec"]["x-kubernetes-validations"]]
    for message, start in zip(
        found,
        (
            "exactly one of local, remote, or external",
            "enforceNamespaces requires a non-empty namespaces list",
            "namespaceDefault requires a non-empty namespaces list",
            "reservations need a local or remote group",
            "coolDown needs a local or remote group",
        ),
        strict=True,
    ):
        assert message.startswith(start)
        assert ": write " in message
        assert "\n" not in message  # API servers refuse a message of several lines


@pytest.mark.parametrize("plural", KINDS)
def test_no_other_rule_refuses_anything(plural: str) -> None:
    """Everything else that may be wrong is reported after admission, as PureLB does."""
    ruled = [path for path, s in fields(plural).items() if "x-kubernetes-validations" in s]
    assert ruled == ([".spec"] if plural == "servicegroups" else [])


def test_lists_and_maps_merge_as_the_contract_says() -> None:
    """Conditions merge by type; selectors are replaced whole; namespaces may repeat."""
    groups, agents = fields("servicegroups"), fields("lbnodeagents")
    conditions = groups[".status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert agents[SELECTOR]["x-kubernetes-map-type"] == "atomic"
    assert "x-kubernetes-list-type" not in groups[".spec.namespaces"]


def inner(kind: msgspec.inspect.Type) -> tuple[msgspec.inspect.StructType, str] | None:
    """Return the struct inside an optional or a tuple with its path suffix, if there is one."""
    match kind:
        case msgspec.inspect.StructType():
            return kind, ""
        case msgspec.inspect.UnionType(types=types):
            return next((found for each in types if (found := inner(each))), None)
        case msgspec.inspect.VarTupleType(item_type=msgspec.inspect.StructType() as item):
            return item, "[]"
        case _:
            return None


def struct_fields(
    struct: msgspec.inspect.StructType, path: str
) -> Iterator[tuple[str, msgspec.inspect.Field]]:
    """Yield the fields of a struct and of those below it, by the paths of `walk`."""
    for each in struct.fields:
        where = f"{path}.{each.encode_name}"
        yield where, each
        if (found := inner(each.type)) is not None:
            yield from struct_fields(found[0], where + found[1])


@pytest.mark.parametrize(
    ("plural", "spec"),
    [
        ("servicegroups", resources.ServiceGroupSpec),
        ("lbnodeagents", resources.NodeAgentSpec),
    ],
)
def test_the_daemons_read_only_fields_of_the_schema_with_its_defaults(
    plural: str, spec: type[msgspec.Struct]
) -> None:
    """A misspelled name on either side would silently never be read."""
    schema = fields(plural)
    struct = msgspec.inspect.type_info(spec)
    assert isinstance(struct, msgspec.inspect.StructType)
    read = dict(struct_fields(struct, ".spec"))
    # One struct serves local and remote pools; what only local has is pruned from remote.
    unknown = {path for path in read if path.replace(".remote.", ".local.") not in schema}
    assert not unknown
    defaults = {path: schema[path]["default"] for path in read if "default" in schema.get(path, {})}
    assert {path: read[path].default for path in defaults} == defaults
