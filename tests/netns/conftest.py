"""Throw-away network namespaces, entered by the test's own thread.

A socket stays in the namespace it was opened in, and a child process starts in that of the thread
that started it: so a test that is inside one needs no `ip netns exec`, and sees no host.
"""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

CLONE_NEWNET = 0x40000000  # linux/sched.h
OWN_NAMESPACE = "/proc/thread-self/ns/net"
PRIVILEGE = (
    "network namespaces need root; as a user: unshare --user --map-root-user --net python -m pytest"
)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Namespace:
    """An open network namespace; it ends with its last socket, process and descriptor."""

    descriptor: int

    @property
    def path(self) -> str:
        """A path that other processes can open, as in `ip link set LINK netns PATH`."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Have the calling thread inside; what it opens there stays there."""
        before = os.open(OWN_NAMESPACE, os.O_RDONLY)
        _enter(self.descriptor)
        try:
            yield
        finally:
            _enter(before)
            os.close(before)

    def ip(self, *commands: str) -> None:
        """Run commands of `ip`, each without the leading word, in one process."""
        with self.entered():
            done = subprocess.run(
                ["ip", "-batch", "-"], input="\n".join(commands), text=True, capture_output=True
            )
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def fresh_namespace() -> Iterator[Namespace]:
    """Make a namespace in which the loopback link is up; the caller's own stays as it is."""
    before = os.open(OWN_NAMESPACE, os.O_RDONLY)
    try:
        if _libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"{PRIVILEGE} ({os.strerror(ctypes.get_errno())})")
        made = Namespace(os.open(OWN_NAMESPACE, os.O_RDONLY))
        _enter(before)
    finally:
        os.close(before)
    try:
        made.ip("link set lo up")
        yield made
    finally:
        os.close(made.descriptor)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A fresh namespace; the test runs inside it."""
    with fresh_namespace() as made, made.entered():
        yield made


@pytest.fixture
def far_namespace(namespace: Namespace) -> Iterator[Namespace]:
    """A second namespace, behind a cable: `eth0` of the first is connected to its `peer0`.

    Both are up and have no addresses, not even link-local ones.
    """
    with fresh_namespace() as far:
        namespace.ip(f"link add eth0 type veth peer name peer0 netns {far.path}")
        far.ip("link set peer0 addrgenmode none", "link set peer0 up")
        namespace.ip("link set eth0 addrgenmode none", "link set eth0 up")
        yield far


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Have no capabilities for a while."""
    try:
        os.seteuid(65534)
    except OSError:
        pytest.skip("only the real root can give its privileges up and take them back")
    try:
        yield
    finally:
        os.seteuid(0)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
