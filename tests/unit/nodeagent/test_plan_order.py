"""Which part of a plan may wait for which."""

from dataclasses import replace

from purelb.api.identifiers import LinkName, ServiceKey
from tests.unit.nodeagent.builders import NOW, renewed, service
from tests.unit.nodeagent.remotepools import FAR, KUBE_LB0, remote_agent

ETH0 = LinkName("eth0")


def test_what_is_remote_comes_last_but_for_the_link_itself() -> None:
    """Thousands of addresses may take the kernel seconds: no local lifetime waits for them."""
    one = remote_agent(FAR)
    known = one.facts.services
    assert known is not None
    near = service(ServiceKey("shop/near"), "192.0.2.100")
    one.facts = replace(one.facts, services={**known, near.key: near})
    one.run()  # makes the link, and adds what is local
    another = service(ServiceKey("shop/other"), "192.0.2.101")
    services = {**known, near.key: near, another.key: another}
    one.facts = replace(one.facts, services=services)
    one.kernel.advance(NOW + 6)
    renewed(one)
    kinds = [(type(op).__name__, getattr(op, "link", None)) for op in one.decide()]
    assert kinds[:2] == [("RefreshAddress", ETH0), ("AddAddress", ETH0)]
    assert kinds[-2:] == [("AddAddress", KUBE_LB0), ("RaiseLink", KUBE_LB0)]
