"""What makes a Service invalid, with kube-apiserver's words.

Belongs here: the rules of ValidateService, ValidateServiceUpdate and ValidateLoadBalancerStatus
that a user can run into. Does not: defaults and allocation (services). Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from playground.apiserver.errors import (
    FieldProblem,
    duplicate,
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)
from playground.apiserver.metadata import NAME_RULES, label_problems

JsonObject = dict[str, Any]
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
LONGEST_AFFINITY = 86400
POLICIES = ("Cluster", "Local")
PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
PORT_RANGE = "must be between 1 and 65535, inclusive"
IP_TEXT = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def needs_cluster_ip(spec: JsonObject) -> bool:
    """Return whether the type has addresses within the cluster, or None in place of them."""
    return bool(spec.get("type") != "ExternalName")


def allocates_node_ports(spec: JsonObject) -> bool:
    """Return whether each port gets a node port."""
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return bool(spec.get("type") == "NodePort")


def needs_health_port(spec: JsonObject) -> bool:
    """Return whether load balancers ask nodes for local endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def is_externally_accessible(spec: JsonObject) -> bool:
    """Return whether traffic comes from outside the cluster."""
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (
        kind == "ClusterIP" and bool(spec.get("externalIPs"))
    )


def spec_problems(spec: JsonObject) -> Iterator[FieldProblem]:
    """Yield what is wrong with a spec with defaults."""
    if spec["type"] not in TYPES:
        yield unsupported("spec.type", spec["type"], TYPES)
    yield from _type_problems(spec)
    yield from _ports_problems(spec)
    yield from label_problems(spec.get("selector") or {}, "spec.selector")
    if spec["sessionAffinity"] not in ("ClientIP", "None"):
        yield unsupported("spec.sessionAffinity", spec["sessionAffinity"], ("ClientIP", "None"))
    elif spec["sessionAffinity"] == "ClientIP":
        seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
        if not 0 < seconds <= LONGEST_AFFINITY:
            path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
            text = f"must be greater than 0 and less than {LONGEST_AFFINITY}"
            yield invalid_value(path, seconds, text)
    yield from _address_problems(spec)
    yield from _balancer_problems(spec)
    yield from _policy_problems(spec)


def _type_problems(spec: JsonObject) -> Iterator[FieldProblem]:
    is_headless, kind = spec.get("clusterIP") == "None", spec["type"]
    if not spec.get("ports") and not is_headless and kind != "ExternalName":
        yield required("spec.ports")
    if is_headless and kind in ("LoadBalancer", "NodePort"):
        text = f"may not be set to 'None' for {kind} services"
        yield invalid_value("spec.clusterIPs[0]", "None", text)
    if kind == "ExternalName":
        yield from _external_name_problems(spec)


def _external_name_problems(spec: JsonObject) -> Iterator[FieldProblem]:
    for key in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(key):
            yield forbidden_field(f"spec.{key}", "may not be set for ExternalName services")
    name = spec.get("externalName", "").removesuffix(".")
    pattern, _, text = NAME_RULES["subdomain"]
    if not name:
        yield required("spec.externalName")
    elif not pattern.match(name):
        yield invalid_value("spec.externalName", name, text)


def _ports_problems(spec: JsonObject) -> Iterator[FieldProblem]:
    ports = spec.get("ports", ())
    names: set[str] = set()
    pairs: set[tuple[object, object]] = set()
    node_pairs: set[tuple[object, object]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name = port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{path}.name")
        yield from _port_problems(port, path)
        if name and name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
        pair = (port.get("port"), port["protocol"])
        if pair in pairs:
            shape = {"Name": "", "Protocol": pair[1], "AppProtocol": None, "Port": pair[0]}
            yield duplicate(path, shape | {"TargetPort": 0, "NodePort": 0})
        pairs.add(pair)
        if port.get("nodePort"):
            if spec["type"] == "ClusterIP":
                text = "may not be used when `type` is 'ClusterIP'"
                yield forbidden_field(f"{path}.nodePort", text)
            node_pair = (port["nodePort"], port["protocol"])
            if node_pair in node_pairs:
                yield duplicate(f"{path}.nodePort", port["nodePort"])
            node_pairs.add(node_pair)


def _port_problems(port: JsonObject, path: str) -> Iterator[FieldProblem]:
    name, number, target = port.get("name", ""), port.get("port", 0), port["targetPort"]
    if name and (len(name) > 63 or not PORT_NAME.match(name)):
        yield invalid_value(f"{path}.name", name, NAME_RULES["label"][2])
    if not 0 < number < 65536:
        yield invalid_value(f"{path}.port", number, PORT_RANGE)
    if port["protocol"] not in PROTOCOLS:
        yield unsupported(f"{path}.protocol", port["protocol"], PROTOCOLS)
    if isinstance(target, int):
        if not 0 < target < 65536:
            yield invalid_value(f"{path}.targetPort", target, PORT_RANGE)
    elif len(target) > 15 or not PORT_NAME.match(target) or not re.search("[a-z]", target):
        text = (
            "must contain at least one letter (a-z)"
            if target.isdigit()
            else ("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
        )
        text = "must be no more than 15 characters" if len(target) > 15 else text
        yield invalid_value(f"{path}.targetPort", target, text)


def _address_problems(spec: JsonObject) -> Iterator[FieldProblem]:
    for index, ip in enumerate(spec.get("externalIPs", ())):
        if not _is_ip(ip):
            yield invalid_value(f"spec.externalIPs[{index}]", ip, IP_TEXT)
    sources = spec.get("loadBalancerSourceRanges", ())
    if sources and spec["type"] != "LoadBalancer":
        text = "may only be used when `type` is 'LoadBalancer'"
        yield forbidden_field("spec.LoadBalancerSourceRanges", text)
    for index, cidr in enumerate(sources):
        if not _is_cidr(cidr.strip()):
            text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            yield invalid_value(f"spec.LoadBalancerSourceRanges[{index}]", cidr, text)


def cluster_ip_problems(spec: JsonObject) -> Iterator[FieldProblem]:
    """Yield what is wrong with addresses and families, which the allocators check first."""
    ips, families = spec.get("clusterIPs") or [], spec["ipFamilies"]
    policy = spec["ipFamilyPolicy"]
    wrong = list(_family_problems(families))
    if wrong:
        yield from wrong
        return
    if policy not in ("SingleStack", "PreferDualStack", "RequireDualStack"):
        allowed = ("PreferDualStack", "RequireDualStack", "SingleStack")
        yield unsupported("spec.ipFamilyPolicy", policy, allowed)
    if policy == "SingleStack" and max(len(families), len(ips)) > 1:
        what = "IP families" if len(families) > 1 else "cluster IPs"
        text = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
        yield invalid_value("spec.ipFamilyPolicy", policy, text)
    if ips and not spec.get("clusterIP"):
        text = "must be empty when `clusterIP` is not specified"
        yield invalid_value("spec.clusterIPs", ips, text)
    elif ips and ips[0] != spec["clusterIP"]:
        yield invalid_value("spec.clusterIPs", ips, "first value must match `clusterIP`")
    for index, ip in enumerate(ips):
        path = f"spec.clusterIPs[{index}]"
        if ip == "None":
            continue
        if not _is_ip(ip):
            yield invalid_value(path, ip, IP_TEXT)
        elif index < len(families) and (":" in ip) != (families[index] == "IPv6"):
            text = f"expected an {families[index]} value as indicated by `ipFamilies[{index}]`"
            yield invalid_value(path, ip, text)


def _family_problems(families: list[str]) -> Iterator[FieldProblem]:
    for index, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            yield unsupported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
    if len(set(families)) < len(families):
        yield duplicate("spec.ipFamilies[1]", families[1])


def _policy_problems(spec: JsonObject) -> Iterator[FieldProblem]:
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if external and not is_externally_accessible(spec):
        text = "may only be set for externally-accessible services"
        yield invalid_value("spec.externalTrafficPolicy", external, text)
    elif external and external not in POLICIES:
        yield unsupported("spec.externalTrafficPolicy", external, POLICIES)
    if internal and internal not in POLICIES:
        yield unsupported("spec.internalTrafficPolicy", internal, POLICIES)
    if spec.get("healthCheckNodePort") and not needs_health_port(spec):
        text = (
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        )
        yield invalid_value("spec.healthCheckNodePort", spec["healthCheckNodePort"], text)


def _balancer_problems(spec: JsonObject) -> Iterator[FieldProblem]:
    if spec["type"] != "LoadBalancer":
        for key in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(key) is not None:
                text = "may only be used when `type` is 'LoadBalancer'"
                yield forbidden_field(f"spec.{key}", text)
        return
    name = spec.get("loadBalancerClass")
    if name is not None:
        yield from label_problems({name: ""}, "spec.loadBalancerClass")


def update_problems(spec: JsonObject, before: JsonObject) -> Iterator[FieldProblem]:
    """Yield what may not change between two specs."""
    if spec["type"] == before["type"] == "LoadBalancer":
        value = spec.get("loadBalancerClass")
        if value != before.get("loadBalancerClass"):
            yield invalid_value("spec.loadBalancerClass", value, "may not change once set")
    if not (needs_cluster_ip(spec) and needs_cluster_ip(before)):
        return
    for index, was in enumerate(before.get("clusterIPs") or ()):
        ips = spec.get("clusterIPs") or []
        if index < len(ips) and ips[index] != was:
            yield invalid_value(f"spec.clusterIPs[{index}]", ips, "may not change once set")
    families, known = spec["ipFamilies"], before.get("ipFamilies") or []
    if known and families[0] != known[0]:
        yield invalid_value("spec.ipFamilies[0]", families, "may not change once set")


def status_problems(spec: JsonObject, status: JsonObject) -> Iterator[FieldProblem]:
    """Yield what is wrong with a status."""
    path = "status.loadBalancer.ingress"
    ingress = status["loadBalancer"].get("ingress") or ()
    if ingress and spec["type"] != "LoadBalancer":
        yield forbidden_field(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, entry in enumerate(ingress):
        yield from _ingress_problems(entry, f"{path}[{index}]")


def _ingress_problems(entry: JsonObject, path: str) -> Iterator[FieldProblem]:
    ip, mode, hostname = entry.get("ip"), entry.get("ipMode"), entry.get("hostname")
    if ip and not _is_ip(ip):
        yield invalid_value(f"{path}.ip", ip, IP_TEXT)
    if mode is None and ip:
        yield required(f"{path}.ipMode", "must be specified when `ip` is set")
    elif mode is not None and not ip:
        yield forbidden_field(f"{path}.ipMode", "may not be specified when `ip` is not set")
    elif mode is not None and mode not in ("Proxy", "VIP"):
        yield unsupported(f"{path}.ipMode", mode, ("Proxy", "VIP"))
    if hostname:
        pattern, _, text = NAME_RULES["subdomain"]
        if not pattern.match(hostname):
            yield invalid_value(f"{path}.hostname", hostname, text)
        if _is_ip(hostname):
            text = "must be a DNS name, not an IP address"
            yield invalid_value(f"{path}.hostname", hostname, text)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text
