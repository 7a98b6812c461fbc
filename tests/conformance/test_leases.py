"""What node agents of a large cluster rely on: Leases selected by labels, and given up in order."""

from __future__ import annotations

from ipaddress import ip_network

from nodeagent.core.neighborhood import Share, group_of, lease_labels, shares
from purelb.api.identifiers import NodeName
from tests.conformance.client import Client

HERE, HERE6, THERE = map(ip_network, ("192.0.2.0/24", "2001:db8::/64", "198.51.100.0/24"))
ME = NodeName("node-0")
NODES = {
    NodeName(f"node-{number}"): networks
    for number, networks in enumerate(
        ((HERE, HERE6), (HERE,), (HERE6,), (HERE, HERE6), (THERE,), (THERE, HERE6), ())
    )
}


def lease(name: str, labels: dict[str, str]) -> dict[str, object]:
    """Return a Lease."""
    spec = {"holderIdentity": name, "leaseDurationSeconds": 10}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


def test_each_watch_of_an_agent_is_shown_its_share_and_its_own_group(api: Client) -> None:
    """One by each network of its own, without what others show; one of those without labels."""
    labels = {node: lease_labels(node, networks) for node, networks in NODES.items()}
    labels[NodeName("former")] = {}
    for node, found in labels.items():
        api.post(api.leases(), lease(node, found)).ok()

    def shown(share: Share) -> set[str]:
        listing = api.get(api.leases(), labelSelector=share.selector(ME)).ok()
        return {item["metadata"]["name"] for item in listing["items"]}

    for share in shares([HERE, HERE6]):
        has = {node for node, found in labels.items() if share.has(found)}
        group = {node for node in NODES if group_of(node) == group_of(ME)}
        assert has <= shown(share) <= has | group
        assert ME in shown(share)


def test_a_lease_may_have_no_holder_and_is_seen_so_when_it_is_deleted(api: Client) -> None:
    """By that a watch tells one that was given up from one that left its selection."""
    made = api.post(api.leases(), lease("node-0", lease_labels(ME, [HERE]))).ok()
    version = made["metadata"]["resourceVersion"]
    given_up = api.patch(api.leases("node-0"), {"spec": {"holderIdentity": ""}}).ok()
    assert given_up["spec"]["holderIdentity"] == ""
    api.delete(api.leases("node-0")).ok()
    selector = shares([HERE])[1].selector(ME)
    with api.watch(api.leases(), resourceVersion=version, labelSelector=selector) as watch:
        found = [watch.next() for _ in range(2)]
    assert [one["type"] for one in found] == ["MODIFIED", "DELETED"]
    assert [one["object"]["spec"]["holderIdentity"] for one in found] == ["", ""]
