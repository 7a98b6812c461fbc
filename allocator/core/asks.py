"""What an external provider is asked for a Service, and what it said. Pure values.

Belongs here: the question and the answer. Does not: when to ask (`external`), how replies are read
(`answers`), what must be given back (`accounts`), calls (`allocator.shell.provider`).
"""

from dataclasses import dataclass

from purelb.api.addresses import Family, IPAddress
from purelb.api.identifiers import PoolName, ServiceKey, SharingKey, Uid
from purelb.api.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question to the provider of a pool. Equal questions have equal answers.

    `pins` are exact addresses; without them it is one address of each of `families`, or whatever
    the provider likes if there are none.
    """

    key: ServiceKey
    uid: Uid
    pool: PoolName
    families: tuple[Family, ...]
    pins: tuple[IPAddress, ...]
    sharing: SharingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question: addresses in the order of the reply, without repeats, or a problem.

    Where there is a problem the addresses are none.
    """

    ask: Ask
    addresses: tuple[IPAddress, ...] = ()
    problem: Problem | None = None
