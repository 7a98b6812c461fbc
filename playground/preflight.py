"""What a playground needs from the system, asked before anything happens.

Each complaint is a sentence that names what is missing and the command that helps.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Program → packages of Debian and Ubuntu, of Fedora and its relatives.
PROGRAMS: Mapping[str, tuple[str, str]] = {
    "ip": ("iproute2", "iproute"),
    "nft": ("nftables", "nftables"),
    "unshare": ("util-linux", "util-linux"),
    "nsenter": ("util-linux", "util-linux"),
}
# Setting → the value that forbids user namespaces, and the one that permits them.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "kernel.unprivileged_userns_clone": ("0", "1"),  # Debian's kernels
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),  # Ubuntu from 23.10 on
    "user.max_user_namespaces": ("0", "10000"),
}
PLACES = "/usr/sbin:/sbin:/usr/local/sbin"  # not in the search path of ordinary users everywhere

Which = Callable[[str], str | None]


def use_system_programs() -> None:
    """Let this process and what it starts find programs that live in sbin directories."""
    path = os.environ.get("PATH", os.defpath)
    if not path.endswith(PLACES):
        os.environ["PATH"] = f"{path}:{PLACES}"


def complaints() -> tuple[str, ...]:
    """Return what stands in the way of a playground here; empty if nothing does."""
    missing = missing_programs(shutil.which)
    if missing:
        return missing
    is_root = os.geteuid() == 0
    if _succeeds((*unshare(is_root=is_root), "true")):
        return ()
    if is_root:
        return (
            "root may not create namespaces here: in a container, start it with --privileged, or "
            "run as an ordinary user where user namespaces are permitted",
        )
    return forbidden_namespaces(_read_setting)


def missing_programs(which: Which) -> tuple[str, ...]:
    """Return a sentence for each program that is not installed."""
    return tuple(
        f"{program} is not installed: apt-get install {debian} (Debian, Ubuntu) or "
        f"dnf install {fedora} (Fedora, RHEL)"
        for program, (debian, fedora) in PROGRAMS.items()
        if which(program) is None
    )


def forbidden_namespaces(read: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return a sentence for each kernel setting that forbids user namespaces, or a general one."""
    found = tuple(
        f"ordinary users may not create user namespaces ({name} is {bad}): "
        f"sudo sysctl -w {name}={good}, or run as root"
        for name, (bad, good) in SETTINGS.items()
        if read(name) == bad
    )
    return found or (
        "user namespaces are not permitted here, as is usual in containers: run as root, or in a "
        "container started with --privileged",
    )


def unshare(*, is_root: bool) -> tuple[str, ...]:
    """Return the command that runs another one in fresh namespaces."""
    kinds = ("--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child")
    return ("unshare", *kinds, *(() if is_root else ("--user", "--map-root-user")))


def _succeeds(argv: Sequence[str]) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _read_setting(name: str) -> str | None:
    try:
        return Path("/proc/sys", name.replace(".", "/")).read_text().strip()
    except OSError:
        return None
