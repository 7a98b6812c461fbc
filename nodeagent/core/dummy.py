"""The link that carries remote addresses: what there is under its name, and what to do about it.

Belongs here: whether a link may be used, made or deleted. A link that we made bears our alias; one
that somebody else made is used if it is there for nothing else, and never deleted. Does not: which
addresses it carries (`judgement`), netlink (`nodeagent.shell`).
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nodeagent.core.config import DUMMY, NodeConfig, Unconfigured
from purelb.api.identifiers import Instant, LinkName
from purelb.api.links import OUR_ALIAS, Link

CARRIERS: Final = frozenset({"dummy", "ifb"})  # kinds of links that are there for addresses only
# Seconds between two attempts to make the link: what lacks must be installed by somebody; anything
# else may pass soon, as when somebody deletes the link while it is made.
LASTING_RETRY, RETRY = 10.0, 0.2
PATIENCE: Final = 2.0  # seconds for which a failure that may pass soon is nobody's business


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The link could not be made or switched on since `began`; it is tried again at `retry_at`.

    `is_lasting`: it will fail again until somebody installs or grants something.
    """

    link: LinkName
    detail: str
    retry_at: Instant
    began: Instant
    is_lasting: bool = False

    def is_worth_telling(self, now: Instant) -> bool:
        """Tell whether people should hear of it: it is not over as soon as it is read."""
        return self.is_lasting or now >= self.began + PATIENCE


def failed(
    before: Failure | None, link: LinkName, detail: str, now: Instant, *, is_lasting: bool
) -> Failure:
    """Return what is known after a failure now; `before` is the last one, if nothing went well."""
    return Failure(
        link=link,
        detail=detail,
        retry_at=now + (LASTING_RETRY if is_lasting else RETRY),
        began=before.began if before is not None and before.link == link else now,
        is_lasting=is_lasting,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dummy:
    """The link for remote addresses under one configuration.

    `link` is the one to use; it may be down, then `must_rise` (unless that failed lately). Without
    one, `trouble` says why for people; empty: it is about to be made, or tried again. `leftovers`
    are links of ours that nobody needs.
    """

    name: LinkName = DUMMY
    link: Link | None = None
    trouble: str = ""
    must_make: bool = False
    must_rise: bool = False
    leftovers: tuple[Link, ...] = ()

    @property
    def index(self) -> int:
        """The link's index; 0, which no link has, while there is none."""
        return self.link.index if self.link is not None else 0

    @property
    def place(self) -> Link:
        """The link, or one that stands for it until it is made."""
        return self.link or Link(index=0, name=self.name, mac=b"", is_up=False, has_carrier=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the configuration asks for: a link of this name, or none. `failure` is the last one."""

    name: LinkName = DUMMY
    is_wanted: bool = False
    failure: Failure | None = None


def wish_of(config: NodeConfig | Unconfigured, *, has_use: bool, failure: Failure | None) -> Wish:
    """Return what is asked for: a link as long as anything may need it."""
    if not isinstance(config, NodeConfig):
        return Wish()
    return Wish(name=config.dummy, is_wanted=has_use, failure=failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The indices of links that have addresses of ours, and of those that have others.

    Link-local addresses are nobody's: the kernel makes them.
    """

    ours: Container[int] = ()
    others: Container[int] = ()


def look_up(wish: Wish, links: Sequence[Link], carried: Carried, now: Instant) -> Dummy:
    """Return what there is for a wish, and what must be done."""
    named = next((link for link in links if link.name == wish.name), None)
    leftovers = tuple(
        link
        for link in links
        if _is_own_make(link) and not (wish.is_wanted and link is named)
        if link.index not in carried.others
    )
    found = Dummy(name=wish.name, leftovers=leftovers)
    if not wish.is_wanted:
        return found
    failure = wish.failure if wish.failure is not None and wish.failure.link == wish.name else None
    is_due = failure is None or now >= failure.retry_at
    if named is None:
        is_told = failure is not None and failure.is_worth_telling(now)
        detail = failure.detail if failure is not None and is_told else ""
        return replace(found, trouble=detail, must_make=is_due)
    if trouble := _objection(named, carried):
        return replace(found, trouble=trouble)
    return replace(found, link=named, must_rise=is_due and not named.is_up)


def _is_own_make(link: Link) -> bool:
    return link.alias == OUR_ALIAS and link.kind in CARRIERS


def _objection(link: Link, carried: Carried) -> str:
    """Return why a link may not be used, empty if it may."""
    if _is_own_make(link):
        return ""
    remedy = "set dummyInterface of the LBNodeAgent to a name that is free"
    if link.kind not in CARRIERS:
        kind = link.kind or ("loopback" if link.is_loopback else "hardware")
        return f"link {link.name} is somebody else's (kind {kind}): {remedy}"
    if link.index in carried.others and link.index not in carried.ours:
        return f"link {link.name} carries somebody else's addresses: {remedy}"
    return ""
