"""Stands between the kubelet and one container, so that the container outlives the kubelet.

    python -I -S shim.py FOLDER LOG COMMAND...

Returns once the container runs; a copy of itself stays as its parent. FOLDER/run.json then says who
both are, and FOLDER/exit.json how the container ended. The container dies with this process, and
whatever it started dies with the container. Uses nothing but the standard library: it is started
for each container, and it stays.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
CANNOT_START = 128  # what container runtimes report then


def main() -> None:
    """Start the container, and stay until it ends."""
    folder, log, *command = sys.argv[1:]
    ready, told = os.pipe()
    if os.fork() != 0:
        os.close(told)
        os.read(ready, 1)  # until the copy has written run.json, or has failed
        os._exit(0 if os.path.exists(f"{folder}/run.json") else 1)
    os.setsid()
    shim = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(told)
        become(command, log, shim)
    facts = {"shim": shim, "pid": child, "started": time.time()}
    write(f"{folder}/run.json", facts)
    os.close(told)
    detach()
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it started, as the end of a PID namespace does
    code = os.waitstatus_to_exitcode(status)
    write(f"{folder}/exit.json", {"code": code if code >= 0 else 128 - code, "at": time.time()})


def become(command: list[str], log: str, shim: int) -> None:
    """Turn into the container."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != shim:
        os._exit(CANNOT_START)  # it died before it was asked to take us along
    os.setpgid(0, 0)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(CANNOT_START)


def detach() -> None:
    """Let go of the kubelet's descriptors, so that nobody waits for us to close them."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)


def write(path: str, facts: dict[str, float]) -> None:
    """Write a file that is there as a whole or not at all."""
    with open(f"{path}.new", "w") as file:
        json.dump(facts, file)
    os.replace(f"{path}.new", path)


if __name__ == "__main__":
    main()
