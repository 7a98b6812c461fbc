"""The checks of `validate` about BGPConfigurations."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from bgp.core.check import check
from plugin.core.checks import CheckRow, bad, doubtful, good
from plugin.core.components import SIDECAR, component
from plugin.core.nodeconfig import dummies
from plugin.core.snapshot import Snapshot
from purelb.api.bgp import BgpConfiguration, Neighbor
from purelb.api.resources import Node
from purelb.core.selectors import defect_of, matches


def bgp_checks(snapshot: Snapshot, *, has_remote: bool) -> Iterator[CheckRow]:
    """Yield the verdicts; without a configuration there is one at most."""
    if not snapshot.bgp_configs:
        if has_remote:
            yield _unconfigured(snapshot)
        return
    for config in snapshot.bgp_configs:
        yield _import(config, dummies(snapshot.agents))
        yield from _neighbors(config, snapshot.nodes)
        yield from _fields(config)


def _unconfigured(snapshot: Snapshot) -> CheckRow:
    if component(snapshot.pods, SIDECAR).pods:
        return bad(
            "Remote ServiceGroups exist but no BGPConfiguration is deployed: nobody learns the way"
            " to their addresses; create one"
        )
    return doubtful(
        "Remote ServiceGroups exist, but neither the BGP sidecar nor a BGPConfiguration: another"
        " router must know the way to their addresses"
    )


def _import(config: BgpConfiguration, links: Sequence[str]) -> CheckRow:
    title, wanted = f'BGPConfiguration "{config.metadata.name}"', config.spec.netlink_import
    if wanted is None or not wanted.enabled:
        return doubtful(f"{title}: netlinkImport disabled, so no address is advertised")
    patterns = wanted.interface_list or ()
    missing = [
        link for link in links if not any(fnmatchcase(link, pattern) for pattern in patterns)
    ]
    if missing:
        return bad(
            f"{title}: netlinkImport.interfaceList has [{', '.join(patterns)}], but not the"
            f" dummyInterface {', '.join(missing)} of an LBNodeAgent; add it"
        )
    return good(f"{title}: netlinkImport enabled, and its interfaceList covers {', '.join(links)}")


def _neighbors(config: BgpConfiguration, nodes: Sequence[Node]) -> Iterator[CheckRow]:
    for neighbor in config.spec.neighbors or ():
        selector = neighbor.node_selector
        if selector is None or not nodes:
            continue
        title = (
            f'BGPConfiguration "{config.metadata.name}": neighbor {address_of(neighbor)}'
            f" (AS {neighbor.config.peer_asn})"
        )
        if (defect := defect_of(selector)) is not None:
            yield bad(f"{title} has an invalid nodeSelector: {defect}")
        elif not any(matches(selector, node.metadata.labels or {}) for node in nodes):
            yield bad(f"{title}: nodeSelector matches 0 nodes")


def address_of(neighbor: Neighbor) -> str:
    """Return what a session is known by: the link of an unnumbered one, else the address."""
    return neighbor.config.neighbor_interface or neighbor.config.neighbor_address


def _fields(config: BgpConfiguration) -> Iterator[CheckRow]:
    """Yield what the sidecar itself would find wrong."""
    for finding in check(config.spec):
        text = f'BGPConfiguration "{config.metadata.name}": {finding}'
        yield bad(text) if finding.is_fatal else doubtful(text)
