"""Which programs a control plane is made of, and how each is built. Pure but for the module files.

Belongs here: the recipe and its content hash. Does not: finding (`binaries`), building (`build`).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent / "go"
TOOLCHAIN = MODULES / "toolchain.txt"  # the Go of those who have none
KUBERNETES = "kubernetes"
# What the programs say of themselves, and what clients call themselves to the API server.
VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# -mod=readonly refuses whatever go.sum does not name; -trimpath leaves no path of the machine.
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
ENVIRONMENT = {
    "CGO_ENABLED": "0",  # static programs, and no need of a C compiler
    "GOTOOLCHAIN": "local",  # never fetches another Go
    "GOWORK": "off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program: `module` is its folder below `go/`, `package` the main package in it."""

    name: str
    module: str
    package: str


PROGRAMS: Sequence[Program] = (
    Program(name="etcd", module="etcd", package="go.etcd.io/etcd/server/v3"),
    *(
        Program(name=name, module=KUBERNETES, package=f"k8s.io/kubernetes/cmd/{name}")
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
            "kubectl",
        )
    ),
    Program(name="helm", module="helm", package="helm.sh/helm/v3/cmd/helm"),
)
# What a world cannot start without; helm is for installing charts into it.
NEEDED: Sequence[str] = tuple(program.name for program in PROGRAMS if program.name != "helm")


def arguments(program: Program, modules: Path = MODULES) -> tuple[str, ...]:
    """Return what `go build` is told, but for the output; it runs in the module's folder."""
    return (*FLAGS, "-ldflags", f"-s -w {_stamp(program, modules)}".rstrip(), program.package)


def recipe_hash(modules: Path = MODULES) -> str:
    """Return 16 hexadecimal digits that change with any module version or build option."""
    digest = hashlib.sha256(repr((FLAGS, ENVIRONMENT)).encode())
    for program in PROGRAMS:
        digest.update(repr((program.name, arguments(program, modules))).encode())
    for folder in sorted({program.module for program in PROGRAMS}):
        for name in ("go.mod", "go.sum"):
            digest.update((modules / folder / name).read_bytes())
    return digest.hexdigest()[:16]


def _stamp(program: Program, modules: Path) -> str:
    """Return the linker options that tell Kubernetes its version.

    Unstamped it calls itself v0.0.0, which clients take for older than anything they know.
    """
    if program.module != KUBERNETES:
        return ""
    text = (modules / KUBERNETES / "go.mod").read_text()
    found = re.search(r"^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", text, re.MULTILINE)
    if found is None:
        raise ValueError("go/kubernetes/go.mod does not require k8s.io/kubernetes")
    facts = {"gitVersion": found[1], "gitMajor": found[2], "gitMinor": found[3]}
    return " ".join(
        f"-X {package}.{name}={value}"
        for package in VERSION_PACKAGES
        for name, value in facts.items()
    )
