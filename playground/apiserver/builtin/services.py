"""Services on their way into the store: defaults, addresses, ports, what a change of type drops.

Belongs here: what kube-apiserver's defaulting, allocators and strategy do. Does not: validation
(servicerules). Nothing is taken from the pools before the Service is stored; since admission and
storing happen without an await in between, two Services cannot get the same address.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from playground.apiserver.builtin.servicerules import (
    allocates_node_ports,
    cluster_ip_problems,
    is_externally_accessible,
    needs_cluster_ip,
    needs_health_port,
    spec_problems,
    status_problems,
    update_problems,
)
from playground.apiserver.errors import FieldProblem, internal, invalid_value
from playground.apiserver.kinds import Problems

JsonObject = dict[str, Any]
V4, V6 = "IPv4", "IPv6"
FAMILIES = (V4, V6)
AFFINITY_SECONDS = 10800
# Sizes of --service-cluster-ip-range; the first address of each is the network's.
RANGES = {V4: ipaddress.ip_network("10.96.0.0/16"), V6: ipaddress.ip_network("fd00:10:96::/112")}


class ServiceAdmission:
    """Admits Services; knows which addresses and ports are taken. Only `stored` changes that."""

    def __init__(self, node_ports: range) -> None:
        self._node_ports = node_ports
        self._taken_ips: set[str] = set()
        self._taken_ports: set[int] = set()
        self._next_ip = {V4: 1, V6: 1}
        self._next_port = 0

    def spec(self, new: JsonObject, old: JsonObject | None, problems: Problems) -> JsonObject:
        """Complete and check what the user wants."""
        if old is not None and new.get("spec") is old["spec"]:
            return new
        before: JsonObject = old["spec"] if old is not None else {}
        spec = _with_defaults(new.get("spec") or {})
        if old is not None:
            _keep_allocated(spec, before)
            _drop_by_type(spec, before)
        _settle_families(spec, before)
        # The allocators come first, and what they refuse is all that is told.
        if needs_cluster_ip(spec):
            problems += cluster_ip_problems(spec)
        if not problems:
            self._allocate(spec, before, problems)
        if not problems:
            problems += spec_problems(spec)
            if old is not None:
                problems += update_problems(spec, before)
        status = new.get("status") or {}
        if old is None or spec["type"] != "LoadBalancer":
            status = {key: value for key, value in status.items() if key != "loadBalancer"}
        return new | {"spec": spec, "status": {"loadBalancer": {}} | status}

    def status(self, new: JsonObject, old: JsonObject | None, problems: Problems) -> JsonObject:
        """Check a new status."""
        status = {"loadBalancer": {}} | (new.get("status") or {})
        problems += status_problems(new["spec"], status)
        return new | {"status": status}

    def stored(self, new: JsonObject | None, old: JsonObject | None) -> None:
        """Take note of what a stored Service holds and what its predecessor gave up."""
        after = new["spec"] if new else {}
        before = old["spec"] if old else {}
        if after is before:
            return
        self._taken_ips.difference_update(before.get("clusterIPs", ()))
        self._taken_ips.update(after.get("clusterIPs", ()))
        self._taken_ports.difference_update(_node_ports_of(before))
        self._taken_ports.update(_node_ports_of(after))

    def _allocate(self, spec: JsonObject, before: JsonObject, problems: Problems) -> None:
        if needs_cluster_ip(spec):
            self._allocate_ips(spec, before, problems)
        chosen: set[int] = set()
        if spec["type"] in ("NodePort", "LoadBalancer"):
            chosen = self._allocate_ports(spec, before, problems)
        if needs_health_port(spec) and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = self._free_port(chosen)

    def _allocate_ports(self, spec: JsonObject, before: JsonObject, problems: Problems) -> set[int]:
        """Fill in node ports; returns all that the Service has. Protocols may share a number."""
        own = set(_node_ports_of(before))
        pairs: set[tuple[int, str]] = set()
        for index, port in enumerate(spec.get("ports", ())):
            number = port.get("nodePort")
            if number:
                pair = (number, port["protocol"])
                is_shared = any(number == other for other, _ in pairs) and pair not in pairs
                if number not in own and not is_shared:
                    path = f"spec.ports[{index}].nodePort"
                    taken = pair in pairs
                    problems += self._port_problems(path, number, is_taken=taken)
            elif allocates_node_ports(spec):
                number = self._free_port({other for other, _ in pairs})
                port["nodePort"] = number
            if number:
                pairs.add((number, port["protocol"]))
        return {number for number, _ in pairs}

    def _allocate_ips(self, spec: JsonObject, before: JsonObject, problems: Problems) -> None:
        if spec.get("clusterIP") == "None":
            spec["clusterIPs"] = ["None"]
            return
        ips = list(spec.get("clusterIPs", ()))
        for ip in ips:
            if ip not in before.get("clusterIPs", ()):
                problems += self._ip_problems(ips, ip)
        for family in spec["ipFamilies"][len(ips) :]:
            ips.append(self._free_ip(family))
        spec["clusterIP"], spec["clusterIPs"] = ips[0], ips

    def _ip_problems(self, ips: list[str], ip: str) -> list[FieldProblem]:
        address = ipaddress.ip_address(ip)
        network = RANGES[V4 if address.version == 4 else V6]
        if address not in network or address in (network[0], network[-1]):
            why = "the provided network does not match the current range"
        elif ip in self._taken_ips:
            why = "provided IP is already allocated"
        else:
            return []
        return [invalid_value("spec.clusterIPs", ips, f"failed to allocate IP {ip}: {why}")]

    def _port_problems(self, path: str, number: int, *, is_taken: bool) -> list[FieldProblem]:
        if is_taken or number in self._taken_ports:
            return [invalid_value(path, number, "provided port is already allocated")]
        if number not in self._node_ports:
            span = f"{self._node_ports.start}-{self._node_ports.stop - 1}"
            text = f"provided port is not in the valid range. The range of valid ports is {span}"
            return [invalid_value(path, number, text)]
        return []

    def _free_ip(self, family: str) -> str:
        network = RANGES[family]
        for _ in range(network.num_addresses - 2):
            offset = self._next_ip[family]
            self._next_ip[family] = offset % (network.num_addresses - 2) + 1
            ip = (
                f"10.96.{offset >> 8}.{offset & 255}" if family == V4 else f"fd00:10:96::{offset:x}"
            )
            if ip not in self._taken_ips:
                return ip
        raise internal("failed to allocate a serviceIP: range is full")

    def _free_port(self, chosen: set[int]) -> int:
        for _ in range(len(self._node_ports)):
            port = self._node_ports[self._next_port]
            self._next_port = (self._next_port + 1) % len(self._node_ports)
            if port not in self._taken_ports and port not in chosen:
                return port
        raise internal("failed to allocate a nodePort: range is full")


def with_ip_modes(obj: JsonObject) -> JsonObject:
    """Default ipMode, which depends on the type the client states along with the status."""
    balancer = (obj.get("status") or {}).get("loadBalancer") or {}
    if not balancer.get("ingress") or (obj.get("spec") or {}).get("type") != "LoadBalancer":
        return obj
    filled = [
        entry | {"ipMode": "VIP"} if entry.get("ip") and "ipMode" not in entry else entry
        for entry in balancer["ingress"]
    ]
    return obj | {"status": obj["status"] | {"loadBalancer": balancer | {"ingress": filled}}}


def _node_ports_of(spec: JsonObject) -> list[int]:
    ports = [port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")]
    if spec.get("healthCheckNodePort"):
        ports.append(spec["healthCheckNodePort"])
    return ports


def _with_defaults(given: JsonObject) -> JsonObject:
    """Return a copy of a spec with defaults; ports are copies too."""
    spec = dict(given)
    if "ports" in spec:
        spec["ports"] = [_port_with_defaults(port) for port in spec["ports"]]
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif "timeoutSeconds" not in (spec.get("sessionAffinityConfig") or {}).get("clientIP", {}):
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    if is_externally_accessible(spec) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if spec["type"] != "ExternalName" and not spec.get("internalTrafficPolicy"):
        spec["internalTrafficPolicy"] = "Cluster"
    if spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    return spec


def _port_with_defaults(given: JsonObject) -> JsonObject:
    port = dict(given)
    if not port.get("protocol"):
        port["protocol"] = "TCP"
    if port.get("targetPort") in (None, 0, ""):
        port["targetPort"] = port.get("port", 0)
    return port


def _keep_allocated(spec: JsonObject, before: JsonObject) -> None:
    """Fill in what was allocated and is not stated now, so that the same YAML can be sent again."""
    if needs_cluster_ip(spec) and needs_cluster_ip(before):
        _keep_cluster_ips(spec, before)
        for key in ("ipFamilies", "ipFamilyPolicy"):
            if not spec.get(key) and key in before:
                spec[key] = before[key]
    if allocates_node_ports(spec) and allocates_node_ports(before):
        used = set(_node_ports_of(before)) & set(_node_ports_of(spec))
        known = {port.get("name", ""): port.get("nodePort") for port in before.get("ports", ())}
        for port in spec.get("ports", ()):
            number = known.get(port.get("name", ""))
            if not port.get("nodePort") and number and number not in used:
                port["nodePort"] = number
    if needs_health_port(spec) and needs_health_port(before):
        spec["healthCheckNodePort"] = spec.get("healthCheckNodePort") or before.get(
            "healthCheckNodePort", 0
        )


def _keep_cluster_ips(spec: JsonObject, before: JsonObject) -> None:
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP", "")
    elif spec["clusterIP"] != before.get("clusterIP"):
        # Only the singular was changed: the plural follows and is judged by validation.
        if spec.get("clusterIPs") == before.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        return
    if not spec.get("clusterIPs") or spec["clusterIPs"] == [spec["clusterIP"]]:
        spec["clusterIPs"] = before.get("clusterIPs", [])


def _drop_by_type(spec: JsonObject, before: JsonObject) -> None:
    """Drop what the new type has no use for, if the user left it as it was."""
    if needs_cluster_ip(before) and not needs_cluster_ip(spec):
        for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            _drop_if_same(spec, before, key)
        spec.pop("internalTrafficPolicy", None)
    used_ports = before.get("type") in ("NodePort", "LoadBalancer")
    if used_ports and spec["type"] not in ("NodePort", "LoadBalancer"):
        known = set(_node_ports_of(before))
        if known.issuperset(port.get("nodePort", 0) or 0 for port in _with_node_port(spec)):
            for port in spec.get("ports", ()):
                port.pop("nodePort", None)
    if needs_health_port(before) and not needs_health_port(spec):
        _drop_if_same(spec, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" and spec["type"] != "LoadBalancer":
        _drop_if_same(spec, before, "allocateLoadBalancerNodePorts")
        _drop_if_same(spec, before, "loadBalancerClass")
    if is_externally_accessible(before) and not is_externally_accessible(spec):
        _drop_if_same(spec, before, "externalTrafficPolicy")


def _with_node_port(spec: JsonObject) -> list[JsonObject]:
    return [port for port in spec.get("ports", ()) if port.get("nodePort")]


def _drop_if_same(spec: JsonObject, before: JsonObject, key: str) -> None:
    if spec.get(key) == before.get(key):
        spec.pop(key, None)


def _settle_families(spec: JsonObject, before: JsonObject) -> None:
    """Fill in ipFamilies and ipFamilyPolicy, and cut clusterIPs on a change to single stack."""
    if not needs_cluster_ip(spec):
        return
    ips, families = spec.get("clusterIPs") or [], list(spec.get("ipFamilies") or ())
    is_headless = spec.get("clusterIP") == "None"
    policy = spec.get("ipFamilyPolicy")
    if not policy:
        unselected = is_headless and not spec.get("selector")
        policy = "RequireDualStack" if unselected else "SingleStack"
    if policy == "SingleStack" and before.get("ipFamilyPolicy", policy) != policy:
        if families == before.get("ipFamilies"):
            families = families[:1]
        if ips == before.get("clusterIPs"):
            spec["clusterIPs"] = ips = ips[:1]
    if not families and ips and not is_headless:
        families = [V6 if ":" in ip else V4 for ip in ips]
    families = families or [V4]
    if policy != "SingleStack" and len(families) == 1:
        families.append(V6 if families[0] == V4 else V4)
    spec["ipFamilies"], spec["ipFamilyPolicy"] = families, policy
