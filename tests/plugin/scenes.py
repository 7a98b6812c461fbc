"""Objects of a cluster as the API has them, and a whole healthy cluster to spoil.

Leases were renewed two days and a half ago for a month, so that the texts of their times stay the
same for as long as any test runs.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

Object = dict[str, Any]
INSTALL = "purelb-system"
RENEWED = timedelta(days=2, hours=12, minutes=30)
MONTH = 30 * 86400  # seconds
_AGO = re.compile(r"@ago\((-?\d+),(\w+)\)")


def ago(span: timedelta, digits: str = "microseconds") -> str:
    """Return a stand-in for a time of the past: see `at`."""
    return f"@ago({span.total_seconds():.0f},{digits})"


def at(now: datetime, value: Any) -> Any:  # noqa: ANN401  # JSON
    """Return JSON in which every stand-in is a time as the API has it, counted from `now`.

    They are made up when an object is used, not when a module is imported: a session of tests may
    last longer than their texts stay the same.
    """
    if isinstance(value, dict):
        return {key: at(now, one) for key, one in value.items()}
    if isinstance(value, list):
        return [at(now, one) for one in value]
    if isinstance(value, str) and "@ago(" in value:
        return _AGO.sub(lambda found: _time(now, float(found[1]), found[2]), value)
    return value


def _time(now: datetime, seconds: float, digits: str) -> str:
    text = (now - timedelta(seconds=seconds)).isoformat(timespec=digits)
    return text.replace("+00:00", "Z")


def node(name: str, address: str = "", **labels: str) -> Object:
    """Return a Node."""
    addresses = [{"type": "InternalIP", "address": address}] if address else []
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "status": {"addresses": addresses},
    }


def lease(
    name: str, subnets: str, *, expired: timedelta | None = None, **annotations: str
) -> Object:
    """Return a node agent's Lease; one that expired so long ago, or else is good for weeks."""
    seconds = 10 if expired is not None else MONTH
    renewed = RENEWED if expired is None else expired + timedelta(seconds=seconds)
    given = {"announces": "true"} | annotations
    found = {f"purelb.io/{key}": value for key, value in given.items()}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": f"purelb-node-{name}",
            "namespace": INSTALL,
            "annotations": {"purelb.io/subnets": subnets, **found},
        },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": seconds,
            "renewTime": ago(renewed),
        },
    }


def group(name: str, namespace: str = INSTALL, **spec: object) -> Object:
    """Return a ServiceGroup."""
    return {
        "apiVersion": "purelb.io/v2",
        "kind": "ServiceGroup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def pool(text: str, subnet: str, **more: str) -> Object:
    """Return one range of a ServiceGroup."""
    return {"pool": text, "subnet": subnet, **more}


def agent(name: str = "default", namespace: str = INSTALL, **spec: object) -> Object:
    """Return an LBNodeAgent; by default the one that is shipped."""
    local = {"localInterface": "default", "dummyInterface": "kube-lb0"}
    return {
        "apiVersion": "purelb.io/v2",
        "kind": "LBNodeAgent",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec or {"local": local},
    }


def service(
    key: str,
    *addresses: str,
    pool: str = "default",
    via: str = "local",
    slots: Iterable[str] = (),
    annotations: dict[str, str] | None = None,
    **spec: object,
) -> Object:
    """Return a Service of type LoadBalancer, with the addresses that the suite gave it.

    `spec` may have a `port` instead of ports.
    """
    namespace, name = key.split("/")
    port = spec.pop("port", 80)
    found = {f"purelb.io/{word}": value for word, value in (annotations or {}).items()}
    if addresses:
        found |= {
            "purelb.io/allocated-by": "PureLB",
            "purelb.io/allocated-from": pool,
            "purelb.io/pool-type": via,
        }
    for slot in slots:
        family = "IPv6" if ":" in slot.rsplit(",", 1)[1] else "IPv4"
        text = found.get(f"purelb.io/announcing-{family}", "")
        found[f"purelb.io/announcing-{family}"] = f"{text} {slot}".strip()
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": found},
        "spec": {
            "type": "LoadBalancer",
            "ports": [{"port": port, "protocol": "TCP"}],
            "selector": {"app": name},
            **spec,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in addresses]}},
    }


def pod(
    name: str,
    container: str,
    *more: str,
    node: str = "node-a",
    ready: bool = True,
    env: dict[str, str] | None = None,
) -> Object:
    """Return a Pod of the suite."""
    names = (container, *more)
    variables = [{"name": key, "value": value} for key, value in (env or {}).items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": INSTALL},
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": one, "image": f"purelb-kopf/{one}:0.1.0", "env": variables}
                for one in names
            ],
        },
        "status": {
            "phase": "Running" if ready else "Pending",
            "containerStatuses": [
                {
                    "name": one,
                    "ready": ready,
                    "restartCount": 0,
                    "image": f"purelb-kopf/{one}:0.1.0",
                    "imageID": "",
                }
                for one in names
            ],
        },
    }


def endpoints(key: str, *nodes: str, ready: bool = True) -> Object:
    """Return the EndpointSlice of a Service with one endpoint on each node."""
    namespace, name = key.split("/")
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [f"10.0.0.{number}"],
                "nodeName": found,
                "conditions": {"ready": ready, "serving": ready},
            }
            for number, found in enumerate(nodes, 1)
        ],
    }


def namespaces(*names: str) -> list[Object]:
    """Return Namespaces."""
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in names]


FRONT, BACK = "192.0.2.0/24,2001:db8::/64", "198.51.100.0/24"
DEFAULT_GROUP = group(
    "default",
    local={
        "v4pool": pool("192.0.2.16/28", "192.0.2.0/24"),
        "v6pool": pool("2001:db8::100-2001:db8::1ff", "2001:db8::/64"),
    },
)
ROUTED_GROUP = group(
    "routed", remote={"v4pools": [pool("203.0.113.0/29", "203.0.113.0/24", aggregation="/32")]}
)
ALLOCATOR = pod("allocator-1", "allocator", env={"DEFAULT_ANNOUNCER": "PureLB"})
NODES = (
    node("node-a", "192.0.2.2", zone="front"),
    node("node-b", "192.0.2.3", zone="front"),
    node("node-c", "198.51.100.4", zone="back"),
)
LEASES = (lease("node-a", FRONT), lease("node-b", FRONT), lease("node-c", BACK))
AGENT_PODS = tuple(pod(f"lbnodeagent-{n}", "lbnodeagent", node=f"node-{n}") for n in "abc")

# Who wins is the formula's: SHA-256 of node#address.
WEB = service(
    "shop/web",
    "192.0.2.16",
    "2001:db8::100",
    slots=("node-b,eth0,192.0.2.16", "node-b,eth0,2001:db8::100"),
    ipFamilies=["IPv4", "IPv6"],
    ipFamilyPolicy="RequireDualStack",
)
MAIL, CHAT = (
    service(
        f"shop/{name}",
        "192.0.2.17",
        port=port,
        slots=("node-b,eth0,192.0.2.17",),
        annotations={"allow-shared-ip": "people"},
    )
    for name, port in (("mail", 25), ("chat", 5222))
)
API = service("shop/api", "203.0.113.0", pool="routed", via="remote")


def healthy() -> list[Object]:
    """Return a cluster in which everything is as it should be."""
    return [
        *namespaces(INSTALL, "shop"),
        *NODES,
        *LEASES,
        ALLOCATOR,
        *AGENT_PODS,
        agent(),
        DEFAULT_GROUP,
        ROUTED_GROUP,
        WEB,
        MAIL,
        CHAT,
        API,
    ]


def bgp_config(*neighbors: Object, links: Iterable[str] = ("kube-lb0",), **spec: object) -> Object:
    """Return a BGPConfiguration that imports from these links; from none without any."""
    names = list(links)
    return {
        "apiVersion": "bgp.purelb.io/v1",
        "kind": "BGPConfiguration",
        "metadata": {"name": "default", "namespace": INSTALL},
        "spec": {
            "global": {"asn": 64512},
            "neighbors": list(neighbors),
            "netlinkImport": {"enabled": bool(names), "interfaceList": names},
            **spec,
        },
    }


def neighbor(address: str, **more: object) -> Object:
    """Return one neighbor of a BGPConfiguration."""
    config = {"neighborAddress": address, "peerAsn": 64513}
    return {"config": config, "afiSafis": [{"family": "ipv4-unicast", "enabled": True}], **more}


def session(address: str, state: str = "Established", **more: object) -> Object:
    """Return one session as a node shows it; it is up since two days and a half."""
    up = {"sessionUpSince": ago(RENEWED)} if state == "Established" else {}
    counts = {"prefixesSent": 2, "prefixesReceived": 1}
    return {
        "address": address,
        "peerASN": 64513,
        "localASN": 64512,
        "state": state,
        **counts,
        **up,
        **more,
    }


def bgp_node(
    name: str, *sessions: Object, updated: timedelta = timedelta(0), **status: object
) -> Object:
    """Return a node's BGPNodeStatus."""
    return {
        "apiVersion": "bgp.purelb.io/v1",
        "kind": "BGPNodeStatus",
        "metadata": {"name": name},
        "spec": {},
        "status": {
            "nodeName": name,
            "routerID": f"10.255.0.{ord(name[-1]) - 96}",
            "neighborCount": len(sessions),
            "heartbeatSeconds": 60,
            "lastUpdated": ago(updated, "seconds"),
            "neighbors": list(sessions),
            **status,
        },
    }
