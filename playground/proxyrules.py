"""What a service proxy tells nftables: from Services and EndpointSlices to one script. Pure.

The rules do not ask which addresses the node has: traffic for a Service is taken wherever it
arrives, as kube-proxy does. A connection is translated as its first packet was; new rules do not
touch it.

There are two dispatches, which differ for `externalTrafficPolicy: Local`: what arrives from the
network gets this node's endpoints or is dropped, with the client's address preserved; what the node
itself sends gets any endpoint.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from playground.wire import SERVICE_LABEL, EndpointSlice, Port, Service
from purelb.api.addresses import FAMILIES, Family, IPAddress, family_of, parse_ip

TABLE = "playground-serviceproxy"
PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
KEYWORD = {Family.IPV4: "ip", Family.IPV6: "ip6"}
ADDRESS_TYPE = {Family.IPV4: "ipv4_addr", Family.IPV6: "ipv6_addr"}
EXTERNAL, INTERNAL = "external", "internal"
HOOKS = """\
  chain prerouting {
    type nat hook prerouting priority -100
    jump external
  }
  chain output {
    type nat hook output priority -100
    jump internal
  }
  chain postrouting {
    type nat hook postrouting priority 100
    ct status dnat masquerade
  }"""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a connection may go. `node` is empty if the slice does not say."""

    address: IPAddress
    port: int
    node: str


@dataclass(frozen=True, slots=True)
class Frontend:
    """What clients connect to."""

    address: IPAddress
    protocol: str
    port: int


@dataclass(slots=True)
class Program:
    """The script under construction: chains by name, and which frontend goes to which."""

    chains: dict[str, str] = field(default_factory=dict)
    external: dict[Frontend, str] = field(default_factory=dict)
    internal: dict[Frontend, str] = field(default_factory=dict)

    def add(self, service: Service, slices: Sequence[EndpointSlice], node: str) -> None:
        """Add one Service. Of two that claim a frontend the first has it."""
        meta, spec = service.metadata, service.spec
        for port in spec.ports or ():
            protocol = port.protocol.lower()
            if port.port is None or protocol not in PROTOCOLS:
                continue
            for family in FAMILIES:
                backends = sorted(_backends(slices, port, family), key=_order)
                if not backends:
                    continue  # as for any closed port: the node resets the connection
                name = f"svc/{meta.namespace}/{meta.name}/{protocol}/{port.port}/{KEYWORD[family]}"
                every = self._chain(f"{name}/any", protocol, family, backends)
                outer = every
                if spec.external_traffic_policy == "Local":
                    here = [backend for backend in backends if backend.node == node]
                    outer = self._chain(f"{name}/here", protocol, family, here)
                for address in _of(family, _cluster_ips(service)):
                    frontend = Frontend(address, protocol, port.port)
                    self.external.setdefault(frontend, every)
                    self.internal.setdefault(frontend, every)
                for address in _of(family, _ingress(service)):
                    frontend = Frontend(address, protocol, port.port)
                    self.external.setdefault(frontend, outer)
                    self.internal.setdefault(frontend, every)

    def _chain(self, name: str, protocol: str, family: Family, backends: Sequence[Backend]) -> str:
        self.chains[name] = _verdict(protocol, family, backends)
        return name

    def text(self) -> str:
        """Return the script: it replaces this proxy's table and touches no other."""
        lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
        for name, verdict in self.chains.items():
            lines += [f"  chain {name} {{", f"    {verdict}", "  }"]
        for name, frontends in ((EXTERNAL, self.external), (INTERNAL, self.internal)):
            lines += _dispatch(name, frontends)
        return "\n".join([*lines, HOOKS, "}", ""])


def script(services: Iterable[Service], slices: Iterable[EndpointSlice], node: str) -> str:
    """Return the nft script of a node: one transaction.

    The same objects in any order give the same text.
    """
    of: dict[tuple[str, str], list[EndpointSlice]] = {}
    for entry in slices:
        name = (entry.metadata.labels or {}).get(SERVICE_LABEL, "")
        of.setdefault((entry.metadata.namespace, name), []).append(entry)
    program = Program()
    for service in sorted(services, key=lambda s: (s.metadata.namespace, s.metadata.name)):
        key = (service.metadata.namespace, service.metadata.name)
        program.add(service, of.get(key, ()), node)
    return program.text()


def _verdict(protocol: str, family: Family, backends: Sequence[Backend]) -> str:
    if not backends:
        return "drop"
    choices = ", ".join(
        f"{number} : {backend.address} . {backend.port}" for number, backend in enumerate(backends)
    )
    spread = f"numgen random mod {len(backends)} map {{ {choices} }}"
    return f"meta l4proto {protocol} dnat {KEYWORD[family]} to {spread}"


def _dispatch(name: str, frontends: dict[Frontend, str]) -> Iterator[str]:
    for family in FAMILIES:
        elements = ",\n      ".join(
            f"{frontend.address} . {frontend.protocol} . {frontend.port} : goto {chain}"
            for frontend, chain in frontends.items()
            if family_of(frontend.address) is family
        )
        yield f"  map {name}-{KEYWORD[family]} {{"
        yield f"    type {ADDRESS_TYPE[family]} . inet_proto . inet_service : verdict"
        if elements:
            yield f"    elements = {{ {elements} }}"
        yield "  }"
    yield f"  chain {name} {{"
    for keyword in KEYWORD.values():
        yield f"    {keyword} daddr . meta l4proto . th dport vmap @{name}-{keyword}"
    yield "  }"


def _backends(slices: Iterable[EndpointSlice], port: Port, family: Family) -> set[Backend]:
    found = set()
    for entry in slices:
        if entry.address_type != family:
            continue
        for each in entry.ports or ():
            if (each.name, each.protocol) != (port.name, port.protocol) or each.port is None:
                continue
            for endpoint in entry.endpoints or ():
                if endpoint.conditions.ready is not False and endpoint.addresses:
                    address = parse_ip(endpoint.addresses[0])
                    found.add(Backend(address, each.port, endpoint.node_name or ""))
    return found


def _order(backend: Backend) -> tuple[int, int, str]:
    return int(backend.address), backend.port, backend.node


def _cluster_ips(service: Service) -> Collection[str]:
    return service.spec.cluster_ips or (service.spec.cluster_ip,)


def _ingress(service: Service) -> Collection[str]:
    entries = service.status.load_balancer.ingress or ()
    return [entry.ip for entry in entries if entry.ip_mode != "Proxy"]


def _of(family: Family, texts: Iterable[str]) -> Iterator[IPAddress]:
    """Yield the addresses of a family; what is none, such as the cluster IP "None", is skipped."""
    for text in texts:
        try:
            address = parse_ip(text)
        except ValueError:
            continue
        if family_of(address) is family:
            yield address
