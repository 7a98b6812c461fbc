"""Values that cannot be: of the speaker, neighbors, groups and dynamic neighbors."""

from tests.unit.bgp.builders import Body, body, group, neighbor

NEIGHBOR, GROUP = "spec.neighbors[0]", "spec.peerGroups[0]"


def overall(**parts: object) -> Body:
    """Return a configuration whose global part is given beside its ASN."""
    return body(**{"global": {"asn": 64512, **parts}})


def one(**parts: object) -> Body:
    """Return a configuration with one neighbor."""
    return body(neighbors=[neighbor(**parts)])  # type: ignore[arg-type]  # parts are no address


def family(**parts: object) -> Body:
    """Return an entry of afiSafis."""
    return {"family": "ipv4-unicast", "enabled": True, **parts}


def timers(**parts: int) -> Body:
    """Return a configuration with one neighbor's timers."""
    return one(timers={"config": parts})


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
    (
        one(applyPolicy={"importPolicy": {"policies": ["no"]}}),
        f"{NEIGHBOR}.applyPolicy.importPolicy.policies[0]",
        "define it in policyDefinitions",
    ),
    (
        one(applyPolicy={"importPolicy": {"defaultAction": "drop"}}),
        f"{NEIGHBOR}.applyPolicy.importPolicy.defaultAction",
        "use accept, reject",
    ),
    (
        one(applyPolicy={"exportPolicy": {"policies": ["no"]}}),
        f"{NEIGHBOR}.applyPolicy.exportPolicy.policies[0]",
        "define it in policyDefinitions",
    ),
    (
        one(applyPolicy={"exportPolicy": {"defaultAction": "drop"}}),
        f"{NEIGHBOR}.applyPolicy.exportPolicy.defaultAction",
        "use accept, reject",
    ),
    (
        overall(applyPolicy={"exportPolicy": {"policies": ["no"]}}),
        "spec.global.applyPolicy.exportPolicy.policies[0]",
        "define it in policyDefinitions",
    ),
    (
        overall(applyPolicy={"importPolicy": {"defaultAction": "drop"}}),
        "spec.global.applyPolicy.importPolicy.defaultAction",
        "use accept, reject",
    ),
    (
        one(afiSafis=[family(prefixLimit={"maxPrefixes": -1})]),
        f"{NEIGHBOR}.afiSafis[0].prefixLimit.maxPrefixes",
        "out of range",
    ),
    (grouped(config={"localAsn": 23456}), f"{GROUP}.config.localAsn", "reserved"),
    (
        grouped(config={"authPasswordSecretRef": {"key": "k"}}),
        f"{GROUP}.config.authPasswordSecretRef.name",
        "missing",
    ),
    (
        grouped(config={"authPasswordSecretRef": {"name": "s"}}),
        f"{GROUP}.config.authPasswordSecretRef.key",
        "missing",
    ),
    (
        grouped(nodeSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        f"{GROUP}.nodeSelector",
        "no node can match",
    ),
    (grouped(afiSafis=[family(family="x")]), f"{GROUP}.afiSafis[0].family", "use ipv4-unicast"),
    (
        grouped(afiSafis=[family(prefixLimit={"maxPrefixes": -1})]),
        f"{GROUP}.afiSafis[0].prefixLimit.maxPrefixes",
        "out of range",
    ),
    (
        grouped(afiSafis=[family(prefixLimit={"maxPrefixes": 1, "shutdownThresholdPct": -1})]),
        f"{GROUP}.afiSafis[0].prefixLimit.shutdownThresholdPct",
        "0 to 100",
    ),
    (
        grouped(afiSafis=[family(addPaths={"sendMax": -1})]),
        f"{GROUP}.afiSafis[0].addPaths.sendMax",
        "0 to 255",
    ),
    *(
        (
            grouped(timers={"config": {name: 70_000}}),
            f"{GROUP}.timers.config.{name}",
            "out of range",
        )
        for name in (
            "connectRetry",
            "holdTime",
            "keepaliveInterval",
            "minimumAdvertisementInterval",
        )
    ),
    (
        grouped(transport={"localAddress": "x"}),
        f"{GROUP}.transport.localAddress",
        "not an IP address",
    ),
    (grouped(transport={"bindInterface": "a/b"}), f"{GROUP}.transport.bindInterface", "name of"),
    *(
        (
            grouped(applyPolicy={direction: {"policies": ["no"], "defaultAction": "drop"}}),
            f"{GROUP}.applyPolicy.{direction}.{where}",
            fragment,
        )
        for direction in ("importPolicy", "exportPolicy")
        for where, fragment in (("policies[0]", "define it"), ("defaultAction", "use accept"))
    ),
]
