"""Views: what is left of an API object when nobody needs the rest."""

import json
from ipaddress import ip_address, ip_network

import pytest

from purelb.api.addresses import Family
from purelb.api.annotations import Slot
from purelb.api.groups import GroupKind, GroupView, RangeEntry, view_group
from purelb.api.identifiers import LinkName, NodeName, PoolName, ServiceKey, Uid, split_key
from purelb.api.resources import (
    DecodeError,
    ServiceGroup,
    convert,
    decode_lease,
    decode_node,
    decode_service,
    decode_service_group,
)
from purelb.api.views import (
    MOST_SUBNETS,
    LeaderView,
    LeaseView,
    NodeView,
    Port,
    ServiceView,
    is_evacuated,
    parse_subnets,
    view_leader,
    view_lease,
    view_node,
    view_service,
)

WEB = ip_address("192.0.2.1")
SERVICE = {
    "metadata": {
        "namespace": "shop",
        "name": "web",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {
            "purelb.io/allocated-by": "PureLB",
            "purelb.io/announcing-IPv4": "a,eth0,192.0.2.1",
            "team": "shop",
        },
    },
    "spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.96.0.1",
        "loadBalancerClass": "purelb.io/purelbv2",
        "loadBalancerIP": "192.0.2.1",
        "ipFamilies": ["IPv6", "IPv4", "IPv9"],
        "ipFamilyPolicy": "PreferDualStack",
        "externalTrafficPolicy": "Local",
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 80, "targetPort": "http"}],
    },
    "status": {
        "loadBalancer": {
            "ingress": [
                {"ip": "192.0.2.1", "ipMode": "VIP"},
                {"hostname": "lb.example"},
                {"ip": "::ffff:192.0.2.2"},
            ]
        }
    },
}


def test_a_service_is_parsed_once() -> None:
    """Unknown families, host names and other people's annotations are left out."""
    view = view_service(decode_service(json.dumps(SERVICE)))
    assert view == ServiceView(
        key=ServiceKey("shop/web"),
        uid=Uid("u"),
        version="7",
        created="2026-01-01T00:00:00Z",
        type="LoadBalancer",
        lb_class="purelb.io/purelbv2",
        families=(Family.IPV6, Family.IPV4),
        family_policy="PreferDualStack",
        cluster_ip="10.96.0.1",
        external_policy="Local",
        load_balancer_ip="192.0.2.1",
        ports=(Port("UDP", 53), Port("TCP", 80)),
        annotations={
            "purelb.io/allocated-by": "PureLB",
            "purelb.io/announcing-IPv4": "a,eth0,192.0.2.1",
        },
        ingress=(WEB, ip_address("192.0.2.2")),
    )
    assert (view.is_branded, view.is_load_balancer) == (True, True)
    assert split_key(view.key) == ("shop", "web")


def test_slots_are_those_of_a_family() -> None:
    """Each in the annotation of its family."""
    view = view_service(decode_service(json.dumps(SERVICE)))
    assert view.slots(Family.IPV4) == (Slot(NodeName("a"), LinkName("eth0"), WEB),)
    assert view.slots(Family.IPV6) == ()


def test_updates_that_differ_only_in_slots_and_version_are_equal_without_them() -> None:
    """Node agents write slots all the time; that must wake nobody."""
    one = view_service(decode_service(json.dumps(SERVICE)))
    moved = {**one.annotations, "purelb.io/announcing-IPv4": "b,eth0,192.0.2.1"}
    other = ServiceView(key=one.key, version="8", annotations=moved, ingress=one.ingress)
    same = ServiceView(key=one.key, annotations=one.annotations, ingress=one.ingress)
    assert other.without_slots() == same.without_slots()
    assert other.without_slots().annotations == {"purelb.io/allocated-by": "PureLB"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="bookmark"),
        pytest.param(
            {
                "metadata": {"annotations": None},
                "spec": {"ports": None, "ipFamilies": None, "ipFamilyPolicy": None},
                "status": {"loadBalancer": {"ingress": None}},
            },
            id="nulls",
        ),
    ],
)
def test_whatever_may_be_absent_has_a_default(body: dict[str, object]) -> None:
    """A bookmark has nothing but a version."""
    view = view_service(decode_service(json.dumps(body)))
    assert (view.ports, view.families, view.ingress, view.annotations) == ((), (), (), {})
    assert not view.is_branded
    assert not view.is_deleting


def test_a_service_with_a_deletion_timestamp_is_being_deleted() -> None:
    """A finalizer holds it."""
    body = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert view_service(decode_service(json.dumps(body))).is_deleting


def test_a_wrong_type_names_its_path() -> None:
    """Nothing is coerced."""
    with pytest.raises(DecodeError, match=r"\$\.spec\.type"):
        decode_service(b'{"spec": {"type": 7}}')


def test_a_lease_of_a_node_agent_is_viewed_and_no_other() -> None:
    """Kubelets and controllers have Leases too."""
    body = {
        "metadata": {
            "name": "purelb-node-a",
            "uid": "u",
            "resourceVersion": "3",
            "annotations": {
                "purelb.io/subnets": "192.0.2.7/24,nonsense,2001:db8::/64",
                "purelb.io/instance": "pod-1",
                "purelb.io/announces": "false",
            },
        },
        "spec": {"leaseDurationSeconds": 10, "renewTime": "2026-01-01T00:00:00.000000Z"},
    }
    assert view_lease(decode_lease(json.dumps(body))) == LeaseView(
        node=NodeName("a"),
        version="3",
        uid=Uid("u"),
        duration=10.0,
        renewed="2026-01-01T00:00:00.000000Z",
        subnets=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/64")),
        instance="pod-1",
        is_announcing=False,
    )
    assert view_lease(decode_lease(b'{"metadata": {"name": "purelb-allocator"}}')) is None
    bare = view_lease(decode_lease(b'{"metadata": {"name": "purelb-node-b"}}'))
    assert bare == LeaseView(node=NodeName("b"), heeds_wishes=False)


def test_of_an_endless_list_of_subnets_a_bounded_part_is_read() -> None:
    """Anybody who may write a Lease may write a long one."""
    text = ",".join(f"10.{i >> 8}.{i & 255}.0/24" for i in range(MOST_SUBNETS + 9))
    assert len(parse_subnets(text)) == MOST_SUBNETS


def test_a_node_has_its_labels_and_addresses() -> None:
    """Host names among the addresses are left out."""
    body = {
        "metadata": {"name": "a", "uid": "u", "labels": {"rack": "1"}},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "a"},
                {"type": "InternalIP", "address": "192.0.2.1"},
            ]
        },
    }
    assert view_node(decode_node(json.dumps(body))) == NodeView(
        name=NodeName("a"), uid=Uid("u"), labels={"rack": "1"}, addresses=(WEB,)
    )
    assert view_node(decode_node(b"{}")).addresses == ()


@pytest.mark.parametrize(
    ("annotations", "evacuated"),
    [(None, False), ({"purelb.io/evacuate": "true"}, True), ({"purelb.io/evacuate": "no"}, False)],
)
def test_a_node_is_evacuated_by_the_annotation_true(
    annotations: dict[str, str] | None, evacuated: bool
) -> None:
    """No other value means it."""
    body = {"metadata": {"name": "a", "annotations": annotations}}
    assert view_node(decode_node(json.dumps(body))).is_evacuated is evacuated


@pytest.mark.parametrize(
    ("key", "is_out"),
    [("node.kubernetes.io/out-of-service", True), ("node.kubernetes.io/unreachable", False)],
)
def test_a_node_that_is_out_of_service_counts_as_evacuated(key: str, *, is_out: bool) -> None:
    """Other taints come by themselves, while its addresses are well served."""
    taints = [{"key": "x"}, {"key": key, "effect": "NoExecute", "value": "nodeshutdown"}]
    body = {"metadata": {"name": "a"}, "spec": {"taints": taints}}
    assert view_node(decode_node(json.dumps(body))).is_evacuated is is_out
    assert not is_evacuated(decode_node(json.dumps(body)))


def group(**spec: object) -> GroupView:
    """View a ServiceGroup with this spec, by both ways that lead to one."""
    body = {
        "metadata": {
            "namespace": "purelb-system",
            "name": "default",
            "uid": "u",
            "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": spec,
        "status": {"announce": "Local"},
    }
    view = view_group(decode_service_group(json.dumps(body)))
    assert view_group(convert(body, ServiceGroup)) == view
    return view


def test_a_group_has_its_ranges_in_order_and_as_typed() -> None:
    """IPv4 first; the plural list, then the singular field."""

    def pool(text: str, **more: str) -> dict[str, str]:
        return {"pool": text, "subnet": "s", **more}

    view = group(
        local={
            "v4pool": pool("d"),
            "v4pools": [pool("b", aggregation="/32"), pool("c")],
            "v6pool": pool("f"),
            "v6pools": [pool("e")],
            "skipIPv6DAD": True,
            "multiPool": True,
            "balancePools": True,
        },
        namespaces=["shop", "shop"],
        enforceNamespaces=True,
        namespaceDefault=True,
    )
    assert view == GroupView(
        namespace="purelb-system",
        name=PoolName("default"),
        uid=Uid("u"),
        generation=2,
        created="2026-01-01T00:00:00Z",
        kind=GroupKind.LOCAL,
        entries=(
            RangeEntry(family=Family.IPV4, text="b", subnet="s", aggregation="/32"),
            RangeEntry(family=Family.IPV4, text="c", subnet="s"),
            RangeEntry(family=Family.IPV4, text="d", subnet="s"),
            RangeEntry(family=Family.IPV6, text="e", subnet="s"),
            RangeEntry(family=Family.IPV6, text="f", subnet="s"),
        ),
        skip_ipv6_dad=True,
        multi_pool=True,
        balance=True,
        namespaces=("shop", "shop"),
        enforces=True,
        is_default=True,
    )
    assert view.key == ("purelb-system", "default")


def test_skipping_duplicate_detection_belongs_to_local_groups_only() -> None:
    """A remote address is never on a NIC."""
    remote = group(remote={"v6pool": {"pool": "e", "subnet": "s"}, "skipIPv6DAD": True})
    assert (remote.kind, remote.skip_ipv6_dad) == (GroupKind.REMOTE, False)


def test_an_external_group_has_a_provider_and_a_socket() -> None:
    """The socket has a default."""
    view = group(external={"provider": "netbox", "announce": "remote"})
    assert (view.kind, view.provider, view.announce) == (GroupKind.EXTERNAL, "netbox", "remote")
    assert view.socket == "/var/run/purelb/ipam.sock"
    assert view.entries == ()


@pytest.mark.parametrize("spec", [{}, {"local": {}, "remote": {}}], ids=["none", "two"])
def test_a_group_without_exactly_one_kind_has_none(spec: dict[str, object]) -> None:
    """An old CRD may let it through."""
    assert group(**spec).kind is None


def test_a_leader_lease_says_who_leads_and_for_how_long() -> None:
    """One that was given back has no holder; a missing count is none."""
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 10, "renewTime": "t"}
    body = {"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": spec}
    assert view_leader(decode_lease(json.dumps(body))) == LeaderView(
        holder="a", version="7", uid=Uid("u"), duration=10.0, renewed="t"
    )
    assert view_leader(decode_lease("{}")) == LeaderView()
