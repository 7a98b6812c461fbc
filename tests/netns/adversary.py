"""Somebody who does to a NIC whatever root can do, and then puts the node's own things right.

Belongs here: the deeds, as shell scripts. Does not: when they are done and what must hold then
(`test_adversary`).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playground.topology import Machine, Topology

OTHER_NAME = "lan7"
DUMMY, OTHER_DUMMY = "kube-lb0", "kube-lb7"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do; `name` is for the reader of a failure."""

    name: str
    script: str


# Links of the kind `ifb` stand for the dummy here: not all kernels know that.
DUMMY_DEEDS = (
    ("delete", f"ip link del {DUMMY}"),
    ("delete often", f"for _ in $(seq 300); do ip link del {DUMMY}; done"),
    ("replace", f"ip link del {DUMMY}; ip link add {DUMMY} type ifb"),
    ("flush", f"ip addr flush dev {DUMMY}"),
    ("switch off", f"ip link set {DUMMY} down"),
    ("rename", f"ip link set {DUMMY} down; ip link set {DUMMY} name {OTHER_DUMMY}"),
    ("forget", f"ip link set {DUMMY} alias nobodys"),
)


class Adversary:
    """Chooses deeds by its own dice. `put_right` undoes all that is not the agent's to undo."""

    def __init__(
        self, world: Topology, machine: Machine, vips: Sequence[str], dice: random.Random
    ) -> None:
        self._nic = machine.main
        self._gateways = [(version, world.gateway(version)) for version in (4, 6)]
        self._vips, self._dice = vips, dice
        self._deeds: Sequence[Callable[[], Deed]] = (
            self._flush,
            self._remove_some,
            self._renew_own,
            self._come_first,
            self._copy,
            self._outlive,
            self._bounce,
            self._rename,
            self._fight,
            self._disturb_dummy,
        )

    def deed(self) -> Deed:
        """Return the next thing to do."""
        return self._dice.choice(self._deeds)()

    def put_right(self) -> Deed:
        """Return what puts the node's own addresses and routes right, and takes copies away."""
        nic = self._nic
        lines = [
            f"[ -e /sys/class/net/{OTHER_NAME} ] && "
            f"{{ ip link set {OTHER_NAME} down; ip link set {OTHER_NAME} name {nic.name}; }}",
            f"ip link set {nic.name} up",
            *(f"ip addr del {vip}/{_wide(vip)} dev {nic.name}" for vip in self._vips),
            *self._own_back(4),
            *self._own_back(6),
            f"ip link del {OTHER_DUMMY}",
        ]
        return Deed("put right", _quiet(lines))

    def _flush(self) -> Deed:
        family = self._dice.choice(("-4", "-6", ""))
        return Deed(f"flush {family}", _quiet([f"ip {family} addr flush dev {self._nic.name}"]))

    def _remove_some(self) -> Deed:
        some = self._some()
        lines = [f"ip addr del {vip}/{_length(vip)} dev {self._nic.name}" for vip in some]
        return Deed(f"remove {len(some)}", _quiet(lines))

    def _renew_own(self) -> Deed:
        version = self._dice.choice((4, 6))
        return Deed(f"renew own v{version}", _quiet([*self._own_gone(), *self._own_back(version)]))

    def _come_first(self) -> Deed:
        """Put VIPs on the empty link, without our mark, and the own address behind them."""
        some = [vip for vip in self._some() if ":" not in vip]
        lines = [
            f"ip -4 addr flush dev {self._nic.name}",
            *(f"ip addr add {vip}/32 dev {self._nic.name}" for vip in some),
            *self._own_back(4),
        ]
        return Deed(f"come first {len(some)}", _quiet(lines))

    def _copy(self) -> Deed:
        """Put VIPs beside ours, or in their place, with the mask of the network."""
        some = self._some()[:3]
        lines = [f"ip addr add {vip}/{_wide(vip)} dev {self._nic.name}" for vip in some]
        if self._dice.random() < 0.5:
            lines.insert(0, f"ip addr flush dev {self._nic.name}")  # they are primary then
        return Deed(f"copy {len(some)}", _quiet(lines))

    def _outlive(self) -> Deed:
        """Make ours permanent, and take our mark away by that."""
        change = "valid_lft forever preferred_lft forever"
        some = self._some()
        lines = [
            f"ip addr change {vip}/{_length(vip)} dev {self._nic.name} {change}" for vip in some
        ]
        return Deed(f"outlive {len(some)}", _quiet(lines))

    def _bounce(self) -> Deed:
        pause = self._dice.choice((0.0, 0.1, 0.8))
        name = self._nic.name
        lines = [f"ip link set {name} down", f"sleep {pause}", f"ip link set {name} up"]
        return Deed(f"down for {pause}", _quiet(lines))

    def _rename(self) -> Deed:
        name = self._nic.name
        lines = [
            f"ip link set {name} down",
            f"ip link set {name} name {OTHER_NAME}",
            f"ip link set {OTHER_NAME} up",
        ]
        return Deed("rename", _quiet(lines))

    def _fight(self) -> Deed:
        """Remove VIPs as soon as they are back, for about two seconds."""
        some = self._some()[:3]
        removals = (f"ip addr del {vip}/{_length(vip)} dev {self._nic.name}" for vip in some)
        lines = ["for _ in $(seq 40); do", *removals, "sleep 0.05", "done"]
        return Deed(f"fight for {len(some)}", _quiet(lines))

    def _disturb_dummy(self) -> Deed:
        name, script = self._dice.choice(DUMMY_DEEDS)
        return Deed(f"dummy: {name}", _quiet([script]))

    def _some(self) -> list[str]:
        return self._dice.sample(self._vips, self._dice.randint(1, len(self._vips)))

    def _own_gone(self) -> list[str]:
        nic = self._nic
        return [f"ip addr del {address} dev {nic.name}" for address in (nic.v4, nic.v6)]

    def _own_back(self, version: int) -> list[str]:
        nic = self._nic
        gateway = dict(self._gateways)[version]
        own = [nic.v4] if version == 4 else [nic.link_local, nic.v6]
        detection = "" if version == 4 else "nodad"
        return [
            *(f"ip addr add {address} dev {nic.name} {detection}" for address in own),
            f"ip -{version} route replace default via {gateway}",
        ]


def _quiet(lines: Sequence[str]) -> str:
    """Return a script that goes on whatever fails: half of the deeds find nothing to do."""
    return "exec 2>/dev/null\n" + "\n".join([*lines, "true"])


def _length(vip: str) -> int:
    return 128 if ":" in vip else 32


def _wide(vip: str) -> int:
    return 64 if ":" in vip else 24
