"""Services: defaults, addresses, ports, what may change and what a change of type drops."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from tests.conformance.client import APPLY, Client, JsonObject, service


def made(api: Client, name: str = "web", kind: str = "LoadBalancer", **spec: object) -> JsonObject:
    """Create a Service and return its spec."""
    return dict(api.post(api.services(), service(name, kind, **spec)).ok()["spec"])


def test_a_load_balancer_gets_its_defaults(api: Client) -> None:
    """Everything that controllers rely on without asking."""
    reply = api.post(api.services(), service("web"))
    spec = reply.ok()["spec"]
    (port,) = spec["ports"]
    assert reply.body["status"] == {"loadBalancer": {}}
    assert spec["type"] == "LoadBalancer"
    assert spec["sessionAffinity"] == "None"
    assert spec["internalTrafficPolicy"] == "Cluster"
    assert spec["externalTrafficPolicy"] == "Cluster"
    assert spec["allocateLoadBalancerNodePorts"] is True
    assert spec["ipFamilies"] == ["IPv4"]
    assert spec["ipFamilyPolicy"] == "SingleStack"
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert ipaddress.ip_address(spec["clusterIP"]).version == 4
    assert (port["protocol"], port["port"], port["targetPort"]) == ("TCP", 80, 80)
    assert port["nodePort"] >= 30000


def test_the_type_defaults_to_cluster_ip_without_external_settings(api: Client) -> None:
    """No node ports, no external traffic policy."""
    body = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80, "targetPort": "http"}]}}
    spec = api.post(api.services(), body).ok()["spec"]
    assert spec["type"] == "ClusterIP"
    assert "externalTrafficPolicy" not in spec
    assert "allocateLoadBalancerNodePorts" not in spec
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": "http"}]


def test_addresses_and_ports_are_given_once(api: Client) -> None:
    """Two Services never share them."""
    first, second = made(api, "one"), made(api, "two")
    assert first["clusterIP"] != second["clusterIP"]
    assert first["ports"][0]["nodePort"] != second["ports"][0]["nodePort"]


def test_a_taken_address_or_port_is_refused_and_free_after_deletion(api: Client) -> None:
    """422 on the field; the pool is told when a Service goes."""
    first = made(api, "one")
    ip, port = first["clusterIP"], first["ports"][0]["nodePort"]
    taken = api.post(api.services(), service("two", clusterIP=ip))
    assert taken.causes() == [("spec.clusterIPs", "FieldValueInvalid")]
    assert "provided IP is already allocated" in taken.body["message"]
    ports = [{"port": 80, "nodePort": port}]
    taken = api.post(api.services(), service("two", ports=ports))
    assert taken.causes() == [("spec.ports[0].nodePort", "FieldValueInvalid")]
    assert "provided port is already allocated" in taken.body["message"]
    api.delete(api.services("one")).ok()
    again = made(api, "two", clusterIP=ip, ports=ports)
    assert (again["clusterIP"], again["ports"][0]["nodePort"]) == (ip, port)


def test_an_address_outside_the_range_is_refused(api: Client) -> None:
    """422."""
    reply = api.post(api.services(), service("web", clusterIP="192.0.2.1"))
    assert reply.causes() == [("spec.clusterIPs", "FieldValueInvalid")]
    assert "failed to allocate IP 192.0.2.1" in reply.body["message"]


def test_node_ports_can_be_left_out(api: Client) -> None:
    """Load balancers that route to Pods need none."""
    spec = made(api, allocateLoadBalancerNodePorts=False)
    assert "nodePort" not in spec["ports"][0]


def test_a_headless_service_has_no_address(api: Client) -> None:
    """`None` is kept, and no ports are needed."""
    spec = made(api, kind="ClusterIP", clusterIP="None", ports=[])
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("None", ["None"])
    reply = api.post(api.services(), service("other", clusterIP="None"))
    assert ("spec.clusterIPs[0]", "FieldValueInvalid") in reply.causes()


@pytest.mark.parametrize("policy", ["PreferDualStack", "RequireDualStack"])
def test_dual_stack_gives_an_address_of_each_family(api: Client, policy: str) -> None:
    """In the order asked for, IPv4 first by default."""
    spec = made(api, ipFamilyPolicy=policy)
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert [ipaddress.ip_address(ip).version for ip in spec["clusterIPs"]] == [4, 6]
    spec = made(api, "six", ipFamilyPolicy=policy, ipFamilies=["IPv6"])
    assert spec["ipFamilies"] == ["IPv6", "IPv4"]
    assert [ipaddress.ip_address(ip).version for ip in spec["clusterIPs"]] == [6, 4]


def test_a_single_family_can_be_ipv6(api: Client) -> None:
    """One address, of that family."""
    spec = made(api, ipFamilies=["IPv6"])
    assert spec["ipFamilyPolicy"] == "SingleStack"
    assert [ipaddress.ip_address(ip).version for ip in spec["clusterIPs"]] == [6]


def test_a_service_can_grow_and_shrink_between_one_family_and_two(api: Client) -> None:
    """The primary address stays; the secondary comes and goes."""
    first = made(api)
    patch: JsonObject = {"spec": {"ipFamilyPolicy": "RequireDualStack"}}
    both = api.patch(api.services("web"), patch).ok()["spec"]
    assert both["clusterIPs"][0] == first["clusterIP"]
    assert both["ipFamilies"] == ["IPv4", "IPv6"]
    assert len(both["clusterIPs"]) == 2
    patch = {"spec": {"ipFamilyPolicy": "SingleStack"}}
    one = api.patch(api.services("web"), patch).ok()["spec"]
    assert one["clusterIPs"] == [first["clusterIP"]]
    assert one["ipFamilies"] == ["IPv4"]


def test_the_same_yaml_can_be_sent_again(api: Client) -> None:
    """A PUT without what was allocated changes nothing."""
    first = api.post(api.services(), service("web", externalTrafficPolicy="Local")).ok()
    again = api.put(api.services("web"), service("web", externalTrafficPolicy="Local")).ok()
    assert again == first
    assert first["spec"]["healthCheckNodePort"] >= 30000


def test_the_cluster_address_cannot_change(api: Client) -> None:
    """422 names the plural field."""
    made(api)
    reply = api.patch(api.services("web"), {"spec": {"clusterIP": "10.96.200.200"}})
    assert reply.causes() == [("spec.clusterIPs[0]", "FieldValueInvalid")]
    assert "may not change once set" in reply.body["message"]


def test_the_class_cannot_change_while_the_type_stays(api: Client) -> None:
    """Neither be set nor removed later; it goes with the type."""
    made(api, loadBalancerClass="example.com/lb")
    for value in ("example.com/other", None):
        reply = api.patch(api.services("web"), {"spec": {"loadBalancerClass": value}})
        assert reply.causes() == [("spec.loadBalancerClass", "FieldValueInvalid")]
        assert "may not change once set" in reply.body["message"]
    made(api, "plain")
    patch: JsonObject = {"spec": {"loadBalancerClass": "example.com/lb"}}
    api.patch(api.services("plain"), patch).failed(422, "Invalid")
    patch = {"spec": {"type": "ClusterIP"}}
    assert "loadBalancerClass" not in api.patch(api.services("web"), patch).ok()["spec"]


def test_leaving_the_type_drops_what_belongs_to_it(api: Client) -> None:
    """Node ports, policies, health port and the address in the status; the cluster IP stays."""
    spec = made(api, externalTrafficPolicy="Local", ports=[{"port": 80, "name": "http"}])
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    api.patch(api.services("web", "status"), status).ok()
    after = api.patch(api.services("web"), {"spec": {"type": "ClusterIP"}}).ok()
    assert after["status"] == {"loadBalancer": {}}
    assert after["spec"] == {
        "type": "ClusterIP",
        "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}],
        "clusterIP": spec["clusterIP"],
        "clusterIPs": spec["clusterIPs"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }


def test_becoming_an_external_name_drops_the_address(api: Client) -> None:
    """And frees it for others."""
    spec = made(api, kind="ClusterIP")
    patch = {"spec": {"type": "ExternalName", "externalName": "example.com"}}
    after = api.patch(api.services("web"), patch).ok()["spec"]
    assert not after.keys() & {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}
    assert made(api, "other", clusterIP=spec["clusterIP"])["clusterIP"] == spec["clusterIP"]


def test_the_policy_can_change_to_local_and_back(api: Client) -> None:
    """The health check port comes and goes with it."""
    made(api)
    local = {"spec": {"externalTrafficPolicy": "Local"}}
    assert api.patch(api.services("web"), local).ok()["spec"]["healthCheckNodePort"] >= 30000
    cluster = {"spec": {"externalTrafficPolicy": "Cluster"}}
    assert "healthCheckNodePort" not in api.patch(api.services("web"), cluster).ok()["spec"]


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"ports": []}, ("spec.ports", "FieldValueRequired")),
        ({"ports": [{"port": 0}]}, ("spec.ports[0].port", "FieldValueInvalid")),
        ({"ports": [{"port": 65536}]}, ("spec.ports[0].port", "FieldValueInvalid")),
        (
            {"ports": [{"port": 80, "targetPort": "Bad_Name"}]},
            ("spec.ports[0].targetPort", "FieldValueInvalid"),
        ),
        (
            {"ports": [{"port": 80, "protocol": "ICMP"}]},
            ("spec.ports[0].protocol", "FieldValueNotSupported"),
        ),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 81}]},
            ("spec.ports[1].name", "FieldValueRequired"),
        ),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]},
            ("spec.ports[1].name", "FieldValueDuplicate"),
        ),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
            ("spec.ports[1]", "FieldValueDuplicate"),
        ),
        ({"type": "Nonsense"}, ("spec.type", "FieldValueNotSupported")),
        ({"sessionAffinity": "Cookie"}, ("spec.sessionAffinity", "FieldValueNotSupported")),
        (
            {"externalTrafficPolicy": "Nearby"},
            ("spec.externalTrafficPolicy", "FieldValueNotSupported"),
        ),
        (
            {"type": "ClusterIP", "externalTrafficPolicy": "Local"},
            ("spec.externalTrafficPolicy", "FieldValueInvalid"),
        ),
        (
            {"type": "ClusterIP", "loadBalancerClass": "a/b"},
            ("spec.loadBalancerClass", "FieldValueForbidden"),
        ),
        (
            {"type": "ClusterIP", "allocateLoadBalancerNodePorts": True},
            ("spec.allocateLoadBalancerNodePorts", "FieldValueForbidden"),
        ),
        (
            {"type": "ClusterIP", "ports": [{"port": 80, "nodePort": 30500}]},
            ("spec.ports[0].nodePort", "FieldValueForbidden"),
        ),
        ({"ipFamilies": ["IPv5"]}, ("spec.ipFamilies[0]", "FieldValueNotSupported")),
        ({"ipFamilyPolicy": "Triple"}, ("spec.ipFamilyPolicy", "FieldValueNotSupported")),
        (
            {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]},
            ("spec.ipFamilyPolicy", "FieldValueInvalid"),
        ),
        ({"clusterIP": "not-an-ip"}, ("spec.clusterIPs[0]", "FieldValueInvalid")),
        ({"externalIPs": ["300.1.1.1"]}, ("spec.externalIPs[0]", "FieldValueInvalid")),
        (
            {"loadBalancerSourceRanges": ["10.0.0.1"]},
            ("spec.LoadBalancerSourceRanges[0]", "FieldValueInvalid"),
        ),
        (
            {"type": "ExternalName", "ports": None},
            ("spec.externalName", "FieldValueRequired"),
        ),
    ],
)
def test_specs_that_make_no_sense_are_invalid(
    api: Client, spec: dict[str, Any], cause: tuple[str, str]
) -> None:
    """422 with the field and the kind of problem."""
    assert cause in api.post(api.services(), service("web", **spec)).causes()


@pytest.mark.parametrize(
    ("ingress", "cause"),
    [
        ({"ip": "300.0.0.1"}, ("status.loadBalancer.ingress[0].ip", "FieldValueInvalid")),
        (
            {"ip": "192.0.2.1", "ipMode": "Magic"},
            ("status.loadBalancer.ingress[0].ipMode", "FieldValueNotSupported"),
        ),
        (
            {"hostname": "a.example", "ipMode": "VIP"},
            ("status.loadBalancer.ingress[0].ipMode", "FieldValueForbidden"),
        ),
        ({"hostname": "Bad!"}, ("status.loadBalancer.ingress[0].hostname", "FieldValueInvalid")),
    ],
)
def test_an_ingress_is_checked(api: Client, ingress: JsonObject, cause: tuple[str, str]) -> None:
    """422; nothing is stored, annotations neither."""
    made(api)
    patch = {
        "metadata": {"annotations": {"a": "b"}},
        "status": {"loadBalancer": {"ingress": [ingress]}},
    }
    assert cause in api.patch(api.services("web", "status"), patch).causes()
    assert "annotations" not in api.get(api.services("web")).ok()["metadata"]


def test_only_load_balancers_have_an_ingress(api: Client) -> None:
    """422 for other types."""
    made(api, kind="ClusterIP")
    patch = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    reply = api.patch(api.services("web", "status"), patch)
    assert reply.causes() == [("status.loadBalancer.ingress", "FieldValueForbidden")]


def test_put_of_the_status_persists_annotations_too(api: Client) -> None:
    """The other way to write address and annotations at once."""
    body = api.post(api.services(), service("web")).ok()
    body["metadata"]["annotations"] = {"by": "me"}
    body["status"] = {"loadBalancer": {"ingress": [{"ip": "2001:db8::1"}]}}
    body["spec"]["sessionAffinity"] = "ClientIP"
    after = api.put(api.services("web", "status"), body).ok()
    assert after["metadata"]["annotations"] == {"by": "me"}
    assert after["spec"]["sessionAffinity"] == "None"
    assert after["status"]["loadBalancer"]["ingress"] == [{"ip": "2001:db8::1", "ipMode": "VIP"}]


def test_the_mode_of_an_ingress_defaults_only_if_the_type_is_stated(api: Client) -> None:
    """A PUT of the status without the spec counts as another type, so the mode is required."""
    made(api)
    body = service("web") | {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    del body["spec"]
    reply = api.put(api.services("web", "status"), body)
    assert reply.causes() == [("status.loadBalancer.ingress[0].ipMode", "FieldValueRequired")]


def test_an_apply_to_the_status_persists_annotations_too(api: Client) -> None:
    """And owns what it wrote, under the subresource."""
    made(api)
    config = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"annotations": {"by": "me"}},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    }
    after = api.patch(api.services("web", "status"), config, APPLY, fieldManager="me").ok()
    assert after["metadata"]["annotations"] == {"by": "me"}
    assert after["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]
    owned = [e for e in after["metadata"]["managedFields"] if e["manager"] == "me"]
    assert [(entry["operation"], entry["subresource"]) for entry in owned] == [("Apply", "status")]


def test_conditions_of_a_service_are_kept(api: Client) -> None:
    """The status has more than the load balancer."""
    made(api)
    condition = {
        "type": "example.com/Ready",
        "status": "True",
        "reason": "Test",
        "message": "",
        "lastTransitionTime": "2024-01-01T00:00:00Z",
    }
    patch = {"status": {"conditions": [condition]}}
    after = api.patch(api.services("web", "status"), patch).ok()
    assert after["status"]["conditions"] == [condition]
