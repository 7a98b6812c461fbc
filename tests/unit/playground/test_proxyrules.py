"""The script of the service proxy: which frontend leads to which backends."""

import re
from collections.abc import Sequence
from itertools import permutations

import msgspec

from playground.proxyrules import script
from playground.wire import EndpointSlice, Service


def service(name: str = "web", ingress: Sequence[object] = (), **spec: object) -> Service:
    """Build a Service with port 80, TCP."""
    defaults: dict[str, object] = {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
    body = {
        "metadata": {"namespace": "default", "name": name},
        "spec": defaults | spec,
        "status": {"loadBalancer": {"ingress": list(ingress)}},
    }
    return msgspec.convert(body, Service)


def endpoints(
    *addresses: tuple[str, str],
    family: str = "IPv4",
    of: str = "web",
    ready: bool | None = True,
    protocol: str = "TCP",
) -> EndpointSlice:
    """Build a slice of (node, address) with port 8080."""
    body = {
        "metadata": {
            "namespace": "default",
            "name": f"{of}-{family.lower()}-{addresses[0][1]}",
            "labels": {"kubernetes.io/service-name": of},
        },
        "addressType": family,
        "ports": [{"name": "http", "port": 8080, "protocol": protocol}],
        "endpoints": [
            {"addresses": [address], "nodeName": node, "conditions": {"ready": ready}}
            for node, address in addresses
        ],
    }
    return msgspec.convert(body, EndpointSlice)


A, B = ("node-a", "192.0.2.11"), ("node-b", "192.0.2.12")
VIP = {"ip": "192.0.2.200", "ipMode": "VIP"}


def paths(text: str, dispatch: str) -> dict[str, str]:
    """Return what a dispatch does: frontend → the backends in order, or "drop"."""
    chains = dict(re.findall(r"  chain (svc/\S+) \{\n    (.*)\n", text))
    body = re.search(rf"  chain {dispatch} \{{", text)
    assert body is not None
    found = {}
    for family in ("ip", "ip6"):
        (content,) = re.findall(rf"  map {dispatch}-{family} \{{\n(.*?)\n  \}}", text, re.DOTALL)
        for frontend, chain in re.findall(r"(\S+ \. \w+ \. \d+) : goto ([^\s,]+)", content):
            verdict = chains[chain]
            found[frontend] = ", ".join(re.findall(r"\d+ : (\S+ \. \d+)", verdict)) or verdict
    return found


def test_vip_and_cluster_address_lead_to_every_ready_endpoint() -> None:
    """From the network and from the node itself."""
    web = service(ingress=[VIP], clusterIPs=["10.96.0.1"])
    text = script([web], [endpoints(A, B)], "node-a")
    every = "192.0.2.11 . 8080, 192.0.2.12 . 8080"
    wanted = {"10.96.0.1 . tcp . 80": every, "192.0.2.200 . tcp . 80": every}
    assert paths(text, "external") == wanted
    assert paths(text, "internal") == wanted


def test_each_family_has_its_own_endpoints() -> None:
    """A dual-stack Service never crosses families."""
    web = service(ingress=[VIP, {"ip": "2001:db8:0:1::200"}])
    six = endpoints(("node-a", "2001:db8:0:1::11"), family="IPv6")
    assert paths(script([web], [endpoints(A), six], "node-a"), "external") == {
        "192.0.2.200 . tcp . 80": "192.0.2.11 . 8080",
        "2001:db8:0:1::200 . tcp . 80": "2001:db8:0:1::11 . 8080",
    }


def test_the_local_policy_gives_the_network_only_this_nodes_endpoints() -> None:
    """The cluster address and the node itself still get any."""
    web = service(ingress=[VIP], clusterIPs=["10.96.0.1"], externalTrafficPolicy="Local")
    text = script([web], [endpoints(A, B)], "node-b")
    assert paths(text, "external")["192.0.2.200 . tcp . 80"] == "192.0.2.12 . 8080"
    every = "192.0.2.11 . 8080, 192.0.2.12 . 8080"
    assert paths(text, "external")["10.96.0.1 . tcp . 80"] == every
    assert paths(text, "internal")["192.0.2.200 . tcp . 80"] == every


def test_the_local_policy_drops_where_this_node_has_no_endpoint() -> None:
    """So that clients try another node instead of losing their address."""
    web = service(ingress=[VIP], externalTrafficPolicy="Local")
    text = script([web], [endpoints(A)], "node-b")
    assert paths(text, "external") == {"192.0.2.200 . tcp . 80": "drop"}


def test_an_endpoint_that_is_not_ready_gets_nothing() -> None:
    """Readiness that is not said counts as ready."""
    web = service(ingress=[VIP])
    slices = [endpoints(A, ready=False), endpoints(B, ready=None)]
    found = paths(script([web], slices, "node-a"), "external")
    assert found == {"192.0.2.200 . tcp . 80": "192.0.2.12 . 8080"}


def test_without_any_endpoint_there_is_no_rule() -> None:
    """The node then answers as for a closed port."""
    text = script([service(ingress=[VIP])], [endpoints(A, ready=False)], "node-a")
    assert paths(text, "external") == {}


def test_an_address_that_some_other_machine_terminates_is_left_alone() -> None:
    """ipMode Proxy, host names and headless Services have nothing to translate."""
    ingress = [{"ip": "192.0.2.201", "ipMode": "Proxy"}, {"hostname": "lb.example"}]
    web = service(ingress=ingress, clusterIPs=["None"])
    assert paths(script([web], [endpoints(A)], "node-a"), "external") == {}


def test_services_that_share_an_address_differ_by_port_and_protocol() -> None:
    """TCP and UDP 53 coexist."""
    udp = [{"name": "http", "port": 53, "protocol": "UDP"}]
    tcp = [{"name": "http", "port": 53, "protocol": "TCP"}]
    services = [service("u", [VIP], ports=udp), service("t", [VIP], ports=tcp)]
    slices = [endpoints(B, of="u", protocol="UDP"), endpoints(A, of="t")]
    assert paths(script(services, slices, "node-a"), "external") == {
        "192.0.2.200 . udp . 53": "192.0.2.12 . 8080",
        "192.0.2.200 . tcp . 53": "192.0.2.11 . 8080",
    }


def test_two_services_that_claim_one_frontend_make_a_valid_script() -> None:
    """The first by name has it: a map with a key twice would be refused as a whole."""
    services = [service("b", [VIP]), service("a", [VIP])]
    slices = [endpoints(B, of="b"), endpoints(A, of="a")]
    found = paths(script(services, slices, "node-a"), "external")
    assert found == {"192.0.2.200 . tcp . 80": "192.0.2.11 . 8080"}


def test_the_order_of_objects_does_not_change_the_script() -> None:
    """Else a relist would reload everything."""
    services = [service("a", [VIP]), service("b", [{"ip": "192.0.2.201"}])]
    slices = [endpoints(A, of="a"), endpoints(B, of="a"), endpoints(A, B, of="b")]
    texts = {
        script(some, others, "node-a")
        for some in permutations(services)
        for others in permutations(slices)
    }
    assert len(texts) == 1
