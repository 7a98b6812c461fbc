"""Command line of the chart's Jobs."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from purelb.runtime import logs
from purelb.runtime.credentials import find_access
from purelb.runtime.errors import PurelbError
from purelb.runtime.kube import Kube
from upkeep import check, crds, leave

logger = logging.getLogger(__name__)


async def work(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Do what was asked; raises PurelbError."""
    access = find_access(environment.get("KUBECONFIG", ""), environment)
    namespace = environment.get("PURELB_NAMESPACE", "")
    async with Kube(access, "purelb-upkeep", connections=2) as kube:
        match given.task:
            case "crds":
                await crds.upgrade(kube, crds.read(given.folder))
            case "leave":
                await leave.leave(kube, namespace)
            case _:
                await check.check(kube, namespace)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0 done, 1 not done and why in the log."""
    parser = argparse.ArgumentParser(prog="upkeep", description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("crds", help="bring the CRDs up to date").add_argument("folder", type=Path)
    tasks.add_parser("leave", help="let the daemons leave in order")
    tasks.add_parser("check", help="tell whether the installation is well")
    given = parser.parse_args(arguments)
    logs.set_up("info", sys.stdout)
    try:
        asyncio.run(work(given, os.environ))
    except PurelbError as error:
        logger.error("not done", extra={"task": given.task, "error": str(error)})
        return 1
    return 0
