"""What the kernel says of a process: memory and CPU time."""

from pathlib import Path

from playground.cluster import Cluster

TICKS = 100  # of /proc/PID/stat per second: USER_HZ, the same on all of Linux


def memory_mb(folder: Path) -> float:
    """Return the resident memory of a process; `folder` is its place in /proc."""
    status = (folder / "status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return round(int(line.split()[1]) / 1024, 1)


def cpu_seconds(folder: Path) -> float:
    """Return the CPU time of a process so far, in steps of 10 ms."""
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def folder_of(cluster: Cluster, pid: int) -> Path:
    """Return the place in /proc of a process in a world."""
    return cluster.paths.root / "proc" / str(pid)
