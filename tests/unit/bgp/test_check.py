"""Every field of a BGPConfiguration with values that cannot be, and what is said about it."""

from typing import Any

import pytest

from bgp.core.check import check
from bgp.core.findings import Finding, listed
from tests.unit.bgp.builders import Body, body, group, neighbor, spec_of

STATEMENT: Body = {"name": "s", "conditions": {}, "actions": {"routeAction": "accept"}}
POLICY: Body = {"name": "p", "statements": [STATEMENT]}
VRF: Body = {"name": "red", "rd": "64512:1"}


def everything() -> Body:
    """Return a configuration that uses every field rightly."""
    limits = {"prefixLimit": {"maxPrefixes": 100, "shutdownThresholdPct": 80}}
    family = {"family": "IPv4-Unicast", "enabled": True, "addPaths": {"sendMax": 2}, **limits}
    apply = {"exportPolicy": {"policies": ["p"], "defaultAction": "reject"}}
    conditions = {
        "prefixSet": {"name": "ps", "match": "any"},
        "neighborSet": {"name": "ns"},
        "asPathSet": {"name": "as", "match": "all"},
        "communitySet": {"name": "cs", "match": "invert"},
    }
    actions = {
        "routeAction": "accept",
        "community": {"type": "add", "communities": ["64512:1", "no-export"]},
        "med": {"type": "mod", "value": -5},
        "asPrepend": {"asn": 64512, "repeat": 3},
        "localPref": 200,
    }
    export = {"enabled": True, "linuxTableId": 100, "communityList": ["64512:1"]}
    return {
        "global": {
            "asn": 4_200_000_000,
            "routerID": "${node.annotations['example.com/id']}",
            "routerIDPool": "10.9.8.0/24",
            "listenPort": 1790,
            "listenAddresses": ["192.0.2.11", "::"],
            "confederation": {"enabled": True, "identifier": 64999, "memberAsList": [64998]},
            "gracefulRestart": {"enabled": True, "restartTime": 60},
            "bindToDevice": "eth0",
        },
        "neighbors": [
            neighbor(
                config={"peerGroup": "tor", "vrf": "red", "authPassword": "x" * 80},
                afiSafis=[family],
                timers={"config": {"holdTime": 9, "keepaliveInterval": 3, "connectRetry": 1}},
                transport={"localAddress": "192.0.2.11", "bindInterface": "eth0"},
                gracefulRestart={"enabled": True},
                ebgpMultihop={"enabled": True, "multihopTtl": 3},
                applyPolicy=apply,
                nodeSelector={"matchLabels": {"rack": "one"}},
            ),
            {"config": {"neighborInterface": "eth1", "peerAsn": 64513}},
            neighbor("fe80::1%eth0", ttlSecurity={"enabled": True, "ttlMin": 254}),
            neighbor(
                "192.0.2.9",
                config={"peerAsn": 4_200_000_000},
                routeReflector={"routeReflectorClient": True, "routeReflectorClusterId": "1.2.3.4"},
            ),
        ],
        "peerGroups": [
            group(),
            group("racks", applyPolicy=apply),
            group("rare", nodeSelector={"matchLabels": {"rack": "two"}}),
        ],
        "dynamicNeighbors": [
            {"prefix": "198.51.100.0/24", "peerGroup": "racks"},
            {"prefix": "203.0.113.0/24", "peerGroup": "racks"},
        ],
        "vrfs": [
            {
                **VRF,
                "importRt": ["64512:1"],
                "exportRt": ["4200000000:1"],
                "netlinkImport": {"enabled": True, "interfaceList": ["red*"]},
                "netlinkExport": export,
            }
        ],
        "definedSets": [
            {
                "type": "prefix",
                "name": "ps",
                "prefixes": [
                    {"ipPrefix": "10.0.0.0/8", "maskLengthMin": 24, "maskLengthMax": 32},
                    {"ipPrefix": "192.0.2.0/24"},
                ],
            },
            {"type": "neighbor", "name": "ns", "list": ["192.0.2.1", "198.51.100.0/24"]},
            {"type": "as-path", "name": "as", "list": ["^64513_"]},
            {"type": "community", "name": "cs", "list": ["64512:1", "^64512:.*$"]},
        ],
        "policyDefinitions": [
            {
                "name": "p",
                "statements": [{"name": "s", "conditions": conditions, "actions": actions}],
            }
        ],
        "netlinkImport": {"enabled": True, "interfaceList": ["kube-lb0", "dum*my-of-some-length"]},
        "netlinkExport": {
            "enabled": True,
            "rules": [
                {
                    "name": "all",
                    "vrf": "red",
                    "tableId": 100,
                    "communityList": ["64512:1"],
                    "largeCommunityList": ["64512:1:2"],
                }
            ],
        },
    }


def test_nothing_is_wrong_with_a_configuration_that_uses_every_field() -> None:
    """The only remarks are about what the sidecar does not do."""
    found = check(spec_of(everything()))
    assert [(one.path, one.is_fatal) for one in found] == [
        ("spec.vrfs[0].netlinkExport", False),
        ("spec.netlinkExport.rules[0].vrf", False),
    ]
    assert check(spec_of(body())) == ()


NEIGHBOR, GROUP = "spec.neighbors[0]", "spec.peerGroups[0]"
RULE = "spec.netlinkExport.rules[0]"
SET, PLACE = "spec.definedSets[0]", "spec.policyDefinitions[0].statements[0]"


def policies(**parts: object) -> Body:
    """Return a configuration with one statement whose parts are given."""
    return body(policyDefinitions=[{"name": "p", "statements": [{**STATEMENT, **parts}]}])


def actions(**parts: object) -> Body:
    """Return a configuration with one statement that accepts and does more."""
    return policies(actions={"routeAction": "accept", **parts})


def sets(kind: str, **parts: object) -> Body:
    """Return a configuration with one set."""
    return body(definedSets=[{"type": kind, "name": "x", **parts}])


def prefixes(**parts: object) -> Body:
    """Return a configuration with a set of one prefix."""
    return sets("prefix", prefixes=[{"ipPrefix": "10.0.0.0/8", **parts}])


def rule(**parts: object) -> Body:
    """Return a configuration with one export rule."""
    return body(netlinkExport={"enabled": True, "rules": [{"name": "r", **parts}]})


def overall(**parts: object) -> Body:
    """Return a configuration whose global part is given beside its ASN."""
    return body(**{"global": {"asn": 64512, **parts}})


def one(**parts: object) -> Body:
    """Return a configuration with one neighbor."""
    return body(neighbors=[neighbor(**parts)])  # type: ignore[arg-type]  # parts are no address


def timers(**parts: int) -> Body:
    """Return a configuration with one neighbor's timers."""
    return one(timers={"config": parts})


def vrf(**parts: object) -> Body:
    """Return a configuration with one VRF."""
    return body(vrfs=[{**VRF, **parts}])


def grouped(**parts: object) -> Body:
    """Return a configuration with one group."""
    return body(peerGroups=[group(**parts)])  # type: ignore[arg-type]  # parts are no name


BAD: list[tuple[Body, str, str]] = [
    (overall(asn=0), "spec.global.asn", "0 is out of range; use 1 to 4294967295"),
    (overall(asn=23456), "spec.global.asn", "reserved"),
    (overall(asn=2**32), "spec.global.asn", "out of range"),
    (overall(routerID="router"), "spec.global.routerID", "not an IPv4 address"),
    (overall(routerID="127.0.0.1"), "spec.global.routerID", "unicast"),
    (overall(routerID="224.0.0.1"), "spec.global.routerID", "multicast"),
    (overall(routerID="${NODE_NAME}"), "spec.global.routerID", "is no template; use ${NODE_IP}"),
    (overall(routerID="${node.annotations['-x']}"), "spec.global.routerID", "is no template"),
    (overall(routerID="1" * 257), "spec.global.routerID", "longer than 256"),
    (overall(routerIDPool="10.0.0.0/25"), "spec.global.routerIDPool", "24 or shorter"),
    (overall(routerIDPool="2001:db8::/32"), "spec.global.routerIDPool", "no IPv4 network"),
    (overall(listenPort=65536), "spec.global.listenPort", "out of range"),
    (overall(listenAddresses=["*"]), "spec.global.listenAddresses[0]", "not an IP address"),
    (overall(families=["ipv4"]), "spec.global.families[0]", "use ipv4-unicast"),
    (overall(bindToDevice="a/b"), "spec.global.bindToDevice", "name of an interface"),
    (overall(confederation={"enabled": True}), "spec.global.confederation.identifier", "range"),
    (
        overall(confederation={"enabled": False, "memberAsList": [0]}),
        "spec.global.confederation.memberAsList[0]",
        "range",
    ),
    (
        overall(gracefulRestart={"restartTime": 4096}),
        "spec.global.gracefulRestart.restartTime",
        "0 to 4095",
    ),
    (
        overall(nodeStatus={"heartbeatSeconds": 9}),
        "spec.global.nodeStatus.heartbeatSeconds",
        "use 10 to",
    ),
    (
        overall(applyPolicy={"importPolicy": {"policies": ["no"]}}),
        "spec.global.applyPolicy.importPolicy.policies[0]",
        "define it in policyDefinitions",
    ),
    (
        overall(applyPolicy={"exportPolicy": {"defaultAction": "drop"}}),
        "spec.global.applyPolicy.exportPolicy.defaultAction",
        "use accept, reject",
    ),
    (body(neighbors=[neighbor("")]), f"{NEIGHBOR}.config.neighborAddress", "neighborInterface"),
    (body(neighbors=[neighbor("tor1")]), f"{NEIGHBOR}.config.neighborAddress", "not an IP"),
    (body(neighbors=[neighbor("0.0.0.0")]), f"{NEIGHBOR}.config.neighborAddress", "unicast"),
    (body(neighbors=[neighbor("fe80::1")]), f"{NEIGHBOR}.config.neighborAddress", "%eth0"),
    (one(config={"neighborInterface": "a b"}), f"{NEIGHBOR}.config.neighborInterface", "name of"),
    (one(config={"peerAsn": 0}), f"{NEIGHBOR}.config.peerAsn", "no peer group has one"),
    (one(config={"peerAsn": -1}), f"{NEIGHBOR}.config.peerAsn", "out of range"),
    (one(config={"localAsn": 23456}), f"{NEIGHBOR}.config.localAsn", "reserved"),
    (one(config={"peerGroup": "x"}), f"{NEIGHBOR}.config.peerGroup", "define it in peerGroups"),
    (one(config={"vrf": "blue"}), f"{NEIGHBOR}.config.vrf", "define it in vrfs"),
    (one(config={"authPassword": "x" * 81}), f"{NEIGHBOR}.config.authPassword", "80 bytes"),
    (
        one(config={"authPasswordSecretRef": {"key": "k"}}),
        f"{NEIGHBOR}.config.authPasswordSecretRef.name",
        "missing",
    ),
    (
        one(config={"authPasswordSecretRef": {"name": "s"}}),
        f"{NEIGHBOR}.config.authPasswordSecretRef.key",
        "missing",
    ),
    (
        one(nodeSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        f"{NEIGHBOR}.nodeSelector",
        "no node can match",
    ),
    (
        one(afiSafis=[{"family": "ipv5", "enabled": True}]),
        f"{NEIGHBOR}.afiSafis[0].family",
        "use ipv4-unicast",
    ),
    (
        one(afiSafis=[{"family": "ipv4-unicast", "enabled": True}] * 2),
        f"{NEIGHBOR}.afiSafis[1].family",
        "twice",
    ),
    (
        one(afiSafis=[{"family": "ipv4-unicast", "enabled": False}]),
        f"{NEIGHBOR}.afiSafis",
        "enable one",
    ),
    (
        one(
            afiSafis=[
                {
                    "family": "ipv4-unicast",
                    "enabled": True,
                    "prefixLimit": {"maxPrefixes": 1, "shutdownThresholdPct": 101},
                }
            ]
        ),
        f"{NEIGHBOR}.afiSafis[0].prefixLimit.shutdownThresholdPct",
        "0 to 100",
    ),
    (
        one(afiSafis=[{"family": "ipv4-unicast", "enabled": True, "addPaths": {"sendMax": 256}}]),
        f"{NEIGHBOR}.afiSafis[0].addPaths.sendMax",
        "0 to 255",
    ),
    (timers(holdTime=2), f"{NEIGHBOR}.timers.config.holdTime", "use 3 or more"),
    (timers(holdTime=70_000), f"{NEIGHBOR}.timers.config.holdTime", "out of range"),
    (timers(connectRetry=-1), f"{NEIGHBOR}.timers.config.connectRetry", "out of range"),
    (
        timers(holdTime=9, keepaliveInterval=9),
        f"{NEIGHBOR}.timers.config.keepaliveInterval",
        "shorter than holdTime",
    ),
    (
        timers(minimumAdvertisementInterval=70_000),
        f"{NEIGHBOR}.timers.config.minimumAdvertisementInterval",
        "out of range",
    ),
    (
        one(transport={"localAddress": "eth0"}),
        f"{NEIGHBOR}.transport.localAddress",
        "not an IP address",
    ),
    (
        one(transport={"localAddress": "2001:db8::1"}),
        f"{NEIGHBOR}.transport.localAddress",
        "different families",
    ),
    (one(transport={"bindInterface": "."}), f"{NEIGHBOR}.transport.bindInterface", "name of"),
    (
        one(gracefulRestart={"restartTime": -1}),
        f"{NEIGHBOR}.gracefulRestart.restartTime",
        "out of range",
    ),
    (
        one(routeReflector={"routeReflectorClient": True, "routeReflectorClusterId": "1.2.3.4"}),
        f"{NEIGHBOR}.routeReflector.routeReflectorClient",
        "our own AS",
    ),
    (
        one(
            config={"peerAsn": 64512},
            routeReflector={"routeReflectorClient": True, "routeReflectorClusterId": "::1"},
        ),
        f"{NEIGHBOR}.routeReflector.routeReflectorClusterId",
        "like an IPv4 address",
    ),
    (one(ebgpMultihop={"multihopTtl": 256}), f"{NEIGHBOR}.ebgpMultihop.multihopTtl", "0 to 255"),
    (one(ttlSecurity={"ttlMin": 256}), f"{NEIGHBOR}.ttlSecurity.ttlMin", "0 to 255"),
    (
        one(ttlSecurity={"enabled": True}, ebgpMultihop={"enabled": True}),
        f"{NEIGHBOR}.ttlSecurity",
        "cannot go with ebgpMultihop",
    ),
    (body(neighbors=[neighbor(), neighbor()]), "spec.neighbors[1].config", "nodeSelector"),
    (grouped(config={"peerGroupName": ""}), f"{GROUP}.config.peerGroupName", "missing"),
    (body(peerGroups=[group(), group()]), "spec.peerGroups[1].config.peerGroupName", "twice"),
    (grouped(config={"peerAsn": 2**32}), f"{GROUP}.config.peerAsn", "out of range"),
    (grouped(config={"authPassword": "x" * 81}), f"{GROUP}.config.authPassword", "80 bytes"),
    (
        body(peerGroups=[group()], dynamicNeighbors=[{"prefix": "10.0.0.1", "peerGroup": "tor"}]),
        "spec.dynamicNeighbors[0].prefix",
        "not a prefix",
    ),
    (
        body(dynamicNeighbors=[{"prefix": "10.0.0.0/8", "peerGroup": "x"}]),
        "spec.dynamicNeighbors[0].peerGroup",
        "define it in peerGroups",
    ),
    (
        body(
            peerGroups=[group(config={"authPassword": "x"})],
            dynamicNeighbors=[{"prefix": "10.0.0.0/8", "peerGroup": "tor"}],
        ),
        "spec.dynamicNeighbors[0].peerGroup",
        "one by one",
    ),
    (
        body(
            peerGroups=[group(config={"peerAsn": 0})],
            dynamicNeighbors=[{"prefix": "10.0.0.0/8", "peerGroup": "tor"}],
        ),
        "spec.dynamicNeighbors[0].peerGroup",
        "no peerAsn",
    ),
    (
        body(
            peerGroups=[group()],
            dynamicNeighbors=[{"prefix": "10.0.0.0/33", "peerGroup": "tor"}],
        ),
        "spec.dynamicNeighbors[0].prefix",
        "write one like",
    ),
    (
        body(
            peerGroups=[group()],
            dynamicNeighbors=[
                {"prefix": "10.0.0.0/8", "peerGroup": "tor"},
                {"prefix": "10.1.0.0/16", "peerGroup": "tor"},
            ],
        ),
        "spec.dynamicNeighbors[1].prefix",
        "keep them apart",
    ),
    (
        {"global": {"asn": 0}},
        "spec.global.asn",
        "out of range",
    ),
    (body(vrfs=[VRF, VRF]), "spec.vrfs[1].name", "twice"),
    (body(vrfs=[VRF, {**VRF, "name": "x"}]), "spec.vrfs[1].rd", "its own"),
    (vrf(name=""), "spec.vrfs[0].name", "missing"),
    (vrf(rd="red"), "spec.vrfs[0].rd", "65000:1"),
    (vrf(rd="70000:70000"), "spec.vrfs[0].rd", "65000:1"),
    (vrf(rd="192.0.2.1:65536"), "spec.vrfs[0].rd", "65000:1"),
    (vrf(importRt=["x"]), "spec.vrfs[0].importRt[0]", "no route target"),
    (vrf(exportRt=["1:2:3"]), "spec.vrfs[0].exportRt[0]", "no route target"),
    (
        vrf(netlinkImport={"interfaceList": ["a/b"]}),
        "spec.vrfs[0].netlinkImport.interfaceList[0]",
        "pattern of names",
    ),
    (vrf(netlinkExport={"enabled": True}), "spec.vrfs[0].netlinkExport.linuxTableId", "missing"),
    (
        vrf(netlinkExport={"communityList": ["1:70000"]}),
        "spec.vrfs[0].netlinkExport.communityList[0]",
        "65000:100",
    ),
    (sets("prefixes"), f"{SET}.type", "use prefix, neighbor"),
    (sets("neighbor", name="", list=["::1"]), f"{SET}.name", "missing"),
    (
        body(definedSets=[{"type": "neighbor", "name": "x", "list": ["::1"]}] * 2),
        "spec.definedSets[1].name",
        "rename",
    ),
    (sets("neighbor"), f"{SET}.list", "is empty"),
    (sets("neighbor", list=["x"]), f"{SET}.list[0]", "neither an address nor a prefix"),
    (sets("as-path", list=["("]), f"{SET}.list[0]", "no regular expression"),
    (sets("community", list=["1:70000"]), f"{SET}.list[0]", "no community"),
    (sets("community", prefixes=[{"ipPrefix": "10.0.0.0/8"}]), f"{SET}.prefixes", "a list instead"),
    (sets("prefix"), f"{SET}.prefixes", "is empty"),
    (sets("prefix", list=["x"]), f"{SET}.list", "prefixes instead"),
    (prefixes(ipPrefix="10.0.0.0"), f"{SET}.prefixes[0].ipPrefix", "not a prefix"),
    (prefixes(maskLengthMin=4), f"{SET}.prefixes[0].maskLengthMin", "use 8 to 32"),
    (prefixes(maskLengthMax=33), f"{SET}.prefixes[0].maskLengthMax", "use 8 to 32"),
    (
        prefixes(maskLengthMin=24, maskLengthMax=16),
        f"{SET}.prefixes[0].maskLengthMax",
        "below maskLengthMin",
    ),
    (
        sets("prefix", prefixes=[{"ipPrefix": "10.0.0.0/8"}, {"ipPrefix": "::/0"}]),
        f"{SET}.prefixes",
        "two sets",
    ),
    (body(policyDefinitions=[POLICY, POLICY]), "spec.policyDefinitions[1].name", "twice"),
    (policies(name=""), f"{PLACE}.name", "missing"),
    (
        policies(conditions={"prefixSet": {"name": "x", "match": "any"}}),
        f"{PLACE}.conditions.prefixSet.name",
        "define it in definedSets",
    ),
    (
        policies(conditions={"asPathSet": {"name": "x", "match": "some"}}),
        f"{PLACE}.conditions.asPathSet.match",
        "use any, all, invert",
    ),
    (
        policies(conditions={"prefixSet": {"name": "x", "match": "all"}}),
        f"{PLACE}.conditions.prefixSet.match",
        "any or invert",
    ),
    (policies(conditions={"rpkiResult": "x"}), f"{PLACE}.conditions.rpkiResult", "use valid"),
    (policies(actions={}), f"{PLACE}.actions.routeAction", "use accept, reject"),
    (actions(community={"type": "set"}), f"{PLACE}.actions.community.type", "use add"),
    (
        actions(community={"type": "add", "communities": ["x"]}),
        f"{PLACE}.actions.community.communities[0]",
        "no community",
    ),
    (actions(med={"type": "set", "value": 1}), f"{PLACE}.actions.med.type", "use mod"),
    (actions(med={"type": "replace", "value": -1}), f"{PLACE}.actions.med.value", "out of range"),
    (actions(asPrepend={"asn": 0}), f"{PLACE}.actions.asPrepend.asn", "out of range"),
    (actions(asPrepend={"asn": 1, "repeat": 65}), f"{PLACE}.actions.asPrepend.repeat", "1 to 64"),
    (actions(localPref=-1), f"{PLACE}.actions.localPref", "out of range"),
    (
        body(netlinkImport={"enabled": True, "vrf": "x", "interfaceList": ["a"]}),
        "spec.netlinkImport.vrf",
        "define it in vrfs",
    ),
    (
        body(netlinkImport={"enabled": True, "interfaceList": ["name-that-is-too-long"]}),
        "spec.netlinkImport.interfaceList[0]",
        "cannot be the name",
    ),
    (
        body(netlinkExport={"enabled": False, "dampeningInterval": -1}),
        "spec.netlinkExport.dampeningInterval",
        "out of range",
    ),
    (
        body(netlinkExport={"enabled": False, "routeProtocol": 4}),
        "spec.netlinkExport.routeProtocol",
        "use 5 to 255",
    ),
    (rule(name=""), f"{RULE}.name", "missing"),
    (rule(vrf="x"), f"{RULE}.vrf", "define it in vrfs"),
    (rule(tableId=255), f"{RULE}.tableId", "the kernel's own"),
    (rule(tableId=-1), f"{RULE}.tableId", "out of range"),
    (rule(metric=2**32), f"{RULE}.metric", "out of range"),
    (rule(communityList=["65536:1"]), f"{RULE}.communityList[0]", "no community"),
    (rule(largeCommunityList=["1:2"]), f"{RULE}.largeCommunityList[0]", "no large community"),
]


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
    (policies(conditions={"rpkiResult": "valid"}), f"{PLACE}.conditions.rpkiResult"),
    (body(netlinkImport={"enabled": True}), "spec.netlinkImport.interfaceList"),
    (body(netlinkExport={"enabled": True}), "spec.netlinkExport.rules"),
]


@pytest.mark.parametrize(("content", "path"), REMARKS, ids=[path for _, path in REMARKS])
def test_what_has_no_effect_is_named_and_refuses_nothing(content: Body, path: str) -> None:
    """Such objects work today."""
    found = check(spec_of(content))
    assert [(finding.path, finding.is_fatal) for finding in found] == [(path, False)]


def test_many_findings_are_told_in_one_short_text() -> None:
    """The rest is counted."""
    many = [Finding(f"spec.a[{number}]", "is wrong") for number in range(10)]
    assert listed(many[:2]) == "spec.a[0]: is wrong; spec.a[1]: is wrong"
    assert listed(many).endswith("; and 2 more")


def test_a_password_is_never_shown() -> None:
    """Not in what is told of it either."""
    content: Any = one(config={"authPassword": "secret" * 20})
    assert "secret" not in listed(check(spec_of(content)))
