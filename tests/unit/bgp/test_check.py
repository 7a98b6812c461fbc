"""Every field of a BGPConfiguration with values that cannot be, and what is said about it."""

import re
from typing import Any

import msgspec
import pytest

from bgp.core.check import check
from bgp.core.findings import Finding, listed
from purelb.api.bgp import BgpSpec
from tests.manifests.test_crds import inner, struct_fields
from tests.unit.bgp import badroutes, badsessions
from tests.unit.bgp.badroutes import PLACE, policies
from tests.unit.bgp.badsessions import GROUP, NEIGHBOR, grouped, one, overall
from tests.unit.bgp.builders import Body, body, spec_of
from tests.unit.bgp.everything import everything

BAD = [*badsessions.BAD, *badroutes.BAD]


def test_nothing_is_wrong_with_a_configuration_that_uses_every_field() -> None:
    """Nor is anything remarked."""
    assert check(spec_of(everything())) == ()
    assert check(spec_of(body())) == ()


@pytest.mark.parametrize(("content", "path", "fragment"), BAD, ids=[path for _, path, _ in BAD])
def test_a_value_that_cannot_be_is_refused_with_its_path_and_the_remedy(
    content: Body, path: str, fragment: str
) -> None:
    """The finding is fatal: the configuration before it stays."""
    found = [finding for finding in check(spec_of(content)) if finding.is_fatal]
    assert [finding.path for finding in found if fragment in finding.message] == [path], found


REMARKS: list[tuple[Body, str]] = [
    (overall(families=["ipv4-unicast"]), "spec.global.families"),
    (
        overall(defaultRouteDistance={"externalRouteDistance": 1}),
        "spec.global.defaultRouteDistance",
    ),
    (
        one(config={"peerAsn": 64512}, ebgpMultihop={"enabled": True}),
        f"{NEIGHBOR}.ebgpMultihop",
    ),
    *(
        (build(applyPolicy={direction: {"name": "p"}}), f"{path}.applyPolicy.{direction}.name")
        for build, path in ((overall, "spec.global"), (one, NEIGHBOR), (grouped, GROUP))
        for direction in ("importPolicy", "exportPolicy")
    ),
    *(
        (build(timers={"config": {"connectRetry": 4}}), f"{path}.timers.config.connectRetry")
        for build, path in ((one, NEIGHBOR), (grouped, GROUP))
    ),
    (policies(conditions={"rpkiResult": "valid"}), f"{PLACE}.conditions.rpkiResult"),
    (body(netlinkImport={"enabled": True}), "spec.netlinkImport.interfaceList"),
    (body(netlinkExport={"enabled": True}), "spec.netlinkExport.rules"),
]


@pytest.mark.parametrize(("content", "path"), REMARKS, ids=[path for _, path in REMARKS])
def test_what_has_no_effect_is_named_and_refuses_nothing(content: Body, path: str) -> None:
    """Such objects work today."""
    found = check(spec_of(content))
    assert [(finding.path, finding.is_fatal) for finding in found] == [(path, False)]


# Texts of people, in which every value is right.
FREE = {
    "spec.neighbors.config.description",
    "spec.peerGroups.config.description",
    "spec.neighbors.config.authPasswordSecretRef.optional",
}


def test_every_field_has_a_value_here_that_cannot_be() -> None:
    """But switches and texts for people: a new field without a check fails here."""
    struct = msgspec.inspect.type_info(BgpSpec)
    assert isinstance(struct, msgspec.inspect.StructType)
    fields = {
        path.replace("[]", "")
        for path, field in struct_fields(struct, "spec")
        if inner(field.type) is None and not isinstance(field.type, msgspec.inspect.BoolType)
    }
    paths = [path for _, path, _ in BAD] + [path for _, path in REMARKS]
    tried = {re.sub(r"\[\d+\]", "", path) for path in paths}
    tried |= {"spec.neighbors.nodeSelector", "spec.peerGroups.nodeSelector"}
    lacking = {
        field
        for field in fields - FREE
        if not any(field == path or field.startswith(f"{path}.") for path in tried)
    }
    assert lacking == set()


def test_many_findings_are_told_in_one_short_text() -> None:
    """The rest is counted."""
    many = [Finding(f"spec.a[{number}]", "is wrong") for number in range(10)]
    assert listed(many[:2]) == "spec.a[0]: is wrong; spec.a[1]: is wrong"
    assert listed(many).endswith("; and 2 more")


def test_a_password_is_never_shown() -> None:
    """Not in what is told of it either."""
    content: Any = one(config={"authPassword": "secret" * 20})
    assert "secret" not in listed(check(spec_of(content)))
