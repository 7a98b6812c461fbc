"""Mounts and network namespaces by system call: what the standard library has from 3.12 on only.

Called by the supervisor, in namespaces of its own.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator

CLONE_NEWNET = 0x40000000  # linux/sched.h
MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x2, 0x4, 0x8  # linux/mount.h

_libc = ctypes.CDLL(None, use_errno=True)


def mount(kind: str, target: str) -> None:
    """Mount a fresh file system of a kind without a device, such as tmpfs; raises OSError."""
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    source = kind.encode()
    if _libc.mount(source, target.encode(), source, ctypes.c_ulong(flags), None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"mount {kind}: {os.strerror(code)}", target)


@contextlib.contextmanager
def inside(machine: str) -> Iterator[None]:
    """Be in a machine's network namespace: for sockets and sysctls, never across an `await`.

    A socket keeps the namespace it was created in; /proc/sys/net is that of the calling thread.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"/run/netns/{machine}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")
