"""Values that cannot be: of VRFs, sets, policies, import and export."""

from tests.unit.bgp.builders import Body, body

STATEMENT: Body = {"name": "s", "conditions": {}, "actions": {"routeAction": "accept"}}
POLICY: Body = {"name": "p", "statements": [STATEMENT]}
VRF: Body = {"name": "red", "rd": "64512:1"}
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


def vrf(**parts: object) -> Body:
    """Return a configuration with one VRF."""
    return body(vrfs=[{**VRF, **parts}])


BAD: list[tuple[Body, str, str]] = [
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
    (
        vrf(netlinkExport={"linuxTableId": 255}),
        "spec.vrfs[0].netlinkExport.linuxTableId",
        "the kernel's own",
    ),
    (
        vrf(netlinkExport={"linuxTableId": -1}),
        "spec.vrfs[0].netlinkExport.linuxTableId",
        "out of range",
    ),
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
    (rule(vrf="a/b"), f"{RULE}.vrf", "name of an interface"),
    (rule(tableId=255), f"{RULE}.tableId", "the kernel's own"),
    (rule(tableId=-1), f"{RULE}.tableId", "out of range"),
    (rule(metric=2**32), f"{RULE}.metric", "out of range"),
    (rule(communityList=["65536:1"]), f"{RULE}.communityList[0]", "no community"),
    (rule(largeCommunityList=["1:2"]), f"{RULE}.largeCommunityList[0]", "no large community"),
    (
        vrf(netlinkExport={"linuxVrf": "a/b"}),
        "spec.vrfs[0].netlinkExport.linuxVrf",
        "name of an interface",
    ),
    (
        vrf(netlinkExport={"metric": -1}),
        "spec.vrfs[0].netlinkExport.metric",
        "out of range",
    ),
    (
        vrf(netlinkExport={"largeCommunityList": ["1:2"]}),
        "spec.vrfs[0].netlinkExport.largeCommunityList[0]",
        "no large community",
    ),
    *(
        (
            policies(conditions={kind: {"name": "x", "match": "some"}}),
            f"{PLACE}.conditions.{kind}.{where}",
            fragment,
        )
        for kind in ("neighborSet", "asPathSet", "communitySet")
        for where, fragment in (("name", "define it in definedSets"), ("match", "use any"))
    ),
]
