"""Where the programs are: in a folder named by the environment, on the search path, or built.

Called by the command that builds, and by the real control plane before a world starts.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from playground.controlplane.programs import NEEDED, recipe_hash

ASSETS = "KUBEBUILDER_ASSETS"  # the convention of Kubernetes' own test tools
BUILD = "python -m playground.controlplane build"


class MissingProgramError(Exception):
    """A program is nowhere; the text is a sentence that names the command that helps."""


def cache(environment: Mapping[str, str]) -> Path:
    """Return the folder of everything built or fetched; it need not exist."""
    home = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "~"), ".cache")
    return Path(home).expanduser() / "purelb-kopf" / "control-plane"


def built(environment: Mapping[str, str]) -> Path:
    """Return the folder of the programs built by this very recipe."""
    return cache(environment) / recipe_hash()


def locate(name: str, environment: Mapping[str, str]) -> Path | None:
    """Return a program: of KUBEBUILDER_ASSETS, else of PATH, else of the cache, else None."""
    assets = environment.get(ASSETS, "")
    for places in (assets, environment.get("PATH", os.defpath), str(built(environment))):
        if places and (found := shutil.which(name, path=places)) is not None:
            return Path(found)
    return None


def missing(environment: Mapping[str, str], names: Iterable[str] = NEEDED) -> tuple[str, ...]:
    """Return the programs that are nowhere, in order."""
    return tuple(name for name in names if locate(name, environment) is None)


def find(name: str, environment: Mapping[str, str]) -> Path:
    """Return a program; raises MissingProgramError."""
    if (found := locate(name, environment)) is None:
        raise MissingProgramError(f"{name} is neither in {ASSETS} nor in PATH: run `{BUILD}`")
    return found
