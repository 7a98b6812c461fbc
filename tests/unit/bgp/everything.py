"""A configuration that uses every field rightly."""

from tests.unit.bgp.badroutes import VRF
from tests.unit.bgp.builders import Body, group, neighbor

APPLY: Body = {"exportPolicy": {"policies": ["p"], "defaultAction": "reject"}}


def everything() -> Body:
    """Return the whole spec."""
    return {
        "global": speaker(),
        "neighbors": neighbors(),
        "peerGroups": [
            group(),
            group("racks", applyPolicy=APPLY),
            group("rare", nodeSelector={"matchLabels": {"rack": "two"}}),
        ],
        "dynamicNeighbors": [
            {"prefix": "198.51.100.0/24", "peerGroup": "racks"},
            {"prefix": "203.0.113.0/24", "peerGroup": "racks"},
        ],
        "vrfs": [vrf()],
        "definedSets": defined_sets(),
        "policyDefinitions": [policy()],
        "netlinkImport": {"enabled": True, "interfaceList": ["kube-lb0", "dum*my-of-some-length"]},
        "netlinkExport": {"enabled": True, "rules": [rule()]},
    }


def speaker() -> Body:
    """Return spec.global."""
    return {
        "asn": 4_200_000_000,
        "routerID": "${node.annotations['example.com/id']}",
        "routerIDPool": "10.9.8.0/24",
        "listenPort": 1790,
        "listenAddresses": ["192.0.2.11", "::"],
        "confederation": {"enabled": True, "identifier": 64999, "memberAsList": [64998]},
        "gracefulRestart": {"enabled": True, "restartTime": 60},
        "bindToDevice": "eth0",
    }


def neighbors() -> list[Body]:
    """Return spec.neighbors, of every sort."""
    limits = {"prefixLimit": {"maxPrefixes": 100, "shutdownThresholdPct": 80}}
    family = {"family": "IPv4-Unicast", "enabled": True, "addPaths": {"sendMax": 2}, **limits}
    return [
        neighbor(
            config={"peerGroup": "tor", "vrf": "red", "authPassword": "x" * 80},
            afiSafis=[family],
            timers={"config": {"holdTime": 9, "keepaliveInterval": 3, "connectRetry": 5}},
            transport={"localAddress": "192.0.2.11", "bindInterface": "eth0"},
            gracefulRestart={"enabled": True},
            ebgpMultihop={"enabled": True, "multihopTtl": 3},
            applyPolicy=APPLY,
            nodeSelector={"matchLabels": {"rack": "one"}},
        ),
        {"config": {"neighborInterface": "eth1", "peerAsn": 64513}},
        neighbor("fe80::1%eth0", ttlSecurity={"enabled": True, "ttlMin": 254}),
        neighbor(
            "192.0.2.9",
            config={"peerAsn": 4_200_000_000},
            routeReflector={"routeReflectorClient": True, "routeReflectorClusterId": "1.2.3.4"},
        ),
    ]


def vrf() -> Body:
    """Return a VRF."""
    export = {"enabled": True, "linuxTableId": 100, "communityList": ["64512:1"]}
    return {
        **VRF,
        "importRt": ["64512:1"],
        "exportRt": ["4200000000:1"],
        "netlinkImport": {"enabled": True, "interfaceList": ["red*"]},
        "netlinkExport": export,
    }


def defined_sets() -> list[Body]:
    """Return spec.definedSets, one of each kind."""
    return [
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
    ]


def policy() -> Body:
    """Return a policy with every condition and action."""
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
    statement = {"name": "s", "conditions": conditions, "actions": actions}
    return {"name": "p", "statements": [statement]}


def rule() -> Body:
    """Return an export rule."""
    return {
        "name": "all",
        "vrf": "red",
        "tableId": 100,
        "communityList": ["64512:1"],
        "largeCommunityList": ["64512:1:2"],
    }
