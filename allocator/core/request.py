"""ServiceView → AddressRequest: what a Service asks for, if it asks us. Pure.

Belongs here: reading a Service's class, type, families and annotations. Does not: whether the
wish can be met (`select`, `place`). Called by `decide` and `explain`.
"""

from dataclasses import dataclass
from enum import StrEnum

from purelb.api import annotations
from purelb.api.addresses import Family, IPAddress, family_of, parse_ip
from purelb.api.identifiers import PoolName, ServiceKey, SharingKey, split_key
from purelb.api.problems import Problem, Reason
from purelb.api.views import Port, ServiceView

CLASSES = frozenset({"purelb.io/purelbv2", "purelb.io/purelb"})
NO_CLUSTER_IP = frozenset({"", "None"})  # what else it may be, the API server has seen to
SYSTEM = frozenset(
    {
        ServiceKey("default/kubernetes"),
        ServiceKey("kube-system/kube-dns"),
        ServiceKey("kube-system/kube-controller-manager"),
        ServiceKey("kube-system/kube-scheduler"),
    }
)


class NotOurs(StrEnum):
    """Why a Service gets no address from us, in words for a person."""

    SYSTEM = "it is a Service of Kubernetes itself"
    FOREIGN_CLASS = "its spec.loadBalancerClass names another controller"
    NO_CLASS = "it has no spec.loadBalancerClass, and DEFAULT_ANNOUNCER is not PureLB"
    NOT_LOAD_BALANCER = "it is not of type LoadBalancer"
    NO_CLUSTER_IP = "it has no clusterIP"
    DELETING = "it is being deleted"
    UNBRANDED = "it shows an address but no annotation that says who gave it"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRequest:
    """What a Service asks for.

    `families` is spec.ipFamilies, empty on API servers that do not fill it. `group` is the
    service-group annotation, None without one; an empty name counts. `fallbacks` are the groups to
    serve it, in order, where that one is full. `pins` has at most one address
    for each family that is asked for. `multi_pool` is None where the pool decides.
    """

    key: ServiceKey
    families: tuple[Family, ...]
    group: PoolName | None
    fallbacks: tuple[PoolName, ...]
    pins: tuple[IPAddress, ...]
    is_best_effort: bool
    sharing: SharingKey
    ports: frozenset[Port]
    multi_pool: bool | None

    @property
    def namespace(self) -> str:
        """The Service's namespace."""
        return split_key(self.key)[0]


def standing_of(service: ServiceView, is_default_announcer: bool) -> NotOurs | None:
    """Return why a Service is none of ours; None if it may have addresses from us."""
    if service.key in SYSTEM:
        return NotOurs.SYSTEM
    if service.lb_class is None and not is_default_announcer:
        return NotOurs.NO_CLASS
    if service.lb_class is not None and service.lb_class not in CLASSES:
        return NotOurs.FOREIGN_CLASS
    if not service.is_load_balancer:
        return NotOurs.NOT_LOAD_BALANCER
    if service.cluster_ip in NO_CLUSTER_IP:
        return NotOurs.NO_CLUSTER_IP
    return None


def request_of(
    service: ServiceView, is_default_announcer: bool
) -> AddressRequest | NotOurs | Problem:
    """Return what the Service asks for, why it asks not us, or what is wrong with its pins."""
    standing = standing_of(service, is_default_announcer)
    if standing is not None:
        return standing
    try:
        pins = _pins(service)
    except ValueError as error:
        return Problem(reason=Reason.OTHER, detail=f"invalid user-specified address: {error}")
    keys = service.annotations
    return AddressRequest(
        key=service.key,
        families=service.families,
        group=group_of(service),
        fallbacks=_fallbacks(keys.get(annotations.FALLBACK_GROUPS, "")),
        pins=pins,
        is_best_effort=service.family_policy == "PreferDualStack",
        sharing=sharing_of(service),
        ports=frozenset(service.ports),
        multi_pool=_flag(keys.get(annotations.MULTI_POOL)),
    )


def group_of(service: ServiceView) -> PoolName | None:
    """Return the value of the service-group annotation, which may be empty; None without one."""
    name = service.annotations.get(annotations.SERVICE_GROUP)
    return None if name is None else PoolName(name)


def sharing_of(service: ServiceView) -> SharingKey:
    """Return the sharing key; empty means that the Service shares with nobody."""
    return SharingKey(service.annotations.get(annotations.SHARING_KEY, ""))


def is_pinned(service: ServiceView) -> bool:
    """Tell whether the Service names addresses, valid or not."""
    return annotations.ADDRESSES in service.annotations or bool(service.load_balancer_ip)


def is_deprecated_pin(service: ServiceView) -> bool:
    """Tell whether the pin comes from spec.loadBalancerIP, which Kubernetes has deprecated."""
    return annotations.ADDRESSES not in service.annotations and bool(service.load_balancer_ip)


def _pins(service: ServiceView) -> tuple[IPAddress, ...]:
    source, text = annotations.ADDRESSES, service.annotations.get(annotations.ADDRESSES)
    if text is None:
        source, text = "spec.loadBalancerIP", service.load_balancer_ip
        if not text:
            return ()
    if not text.strip():
        raise ValueError(f"{source} is empty; list addresses, or remove it")
    pins: dict[Family, IPAddress] = {}
    for part in text.split(","):
        address = parse_ip(part.strip())
        family = family_of(address)
        if service.families and family not in service.families:
            asked = ", ".join(service.families)
            raise ValueError(f"{source} has {address}, but spec.ipFamilies asks for {asked} only")
        if family in pins:
            raise ValueError(
                f"{source} has {pins[family]} and {address}; a Service gets one {family} address"
            )
        pins[family] = address
    return tuple(pins.values())


def _fallbacks(text: str) -> tuple[PoolName, ...]:
    names = (PoolName(part.strip()) for part in text.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _flag(text: str | None) -> bool | None:
    return None if text is None else text == "true"
