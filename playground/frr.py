"""FRR as a router: the command lines of its daemons, as they run beside others of their kind. Pure.

Belongs here: arguments and files. Does not: who starts them (the playground, or a test in a
namespace of its own). Debian's package is called `frr`; its daemons give up root for its own user,
which therefore owns their folder.
"""

import shutil
from pathlib import Path

DAEMONS = ("zebra", "bgpd")  # in the order of their start
LIBRARY = "/usr/lib/frr"
USER = "frr"


def prepare(folder: Path, config: str) -> None:
    """Make the folder of one router and write the configuration of its bgpd; zebra needs none."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.chown(folder, USER, USER)
    for daemon, text in zip(DAEMONS, ("log stdout\n", config), strict=True):
        path = _configuration(daemon, folder)
        path.write_text(text)
        shutil.chown(path, USER, USER)


def daemon_argv(daemon: str, folder: Path) -> tuple[str, ...]:
    """Return the command line of zebra or bgpd, in the foreground, logging to standard output."""
    return (
        f"{LIBRARY}/{daemon}",
        *("--log", "stdout", "--config_file", str(_configuration(daemon, folder))),
        *("--socket", str(folder / "zserv.api"), "--vty_socket", str(folder)),
        *("--pid_file", str(folder / f"{daemon}.pid")),
    )


def vty_socket(daemon: str, folder: Path) -> Path:
    """Return what exists once a daemon answers."""
    return folder / f"{daemon}.vty"


def vtysh_argv(folder: Path, *commands: str) -> tuple[str, ...]:
    """Return the command line that asks a running router, or changes its configuration."""
    asked = [option for command in commands for option in ("--command", command)]
    return ("vtysh", "--vty_socket", str(folder), *asked)


def is_installed() -> bool:
    """Tell whether this machine has FRR."""
    return all(Path(LIBRARY, daemon).exists() for daemon in DAEMONS)


def _configuration(daemon: str, folder: Path) -> Path:
    return folder / f"{daemon}.conf"
