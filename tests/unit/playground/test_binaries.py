"""Where the control plane's programs are looked for, and how those that are nowhere get built."""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copytree

import pytest

from playground.controlplane import binaries, programs
from playground.controlplane.binaries import MissingProgramError, find, locate, missing
from playground.controlplane.build import BuildError, build
from playground.controlplane.programs import KUBERNETES, MODULES, PROGRAMS, arguments, recipe_hash
from playground.controlplane.toolchain import find_go

SECONDS = 20.0
NAMES = [program.name for program in PROGRAMS]
# Writes down what it builds; fails, or waits, where the test says so.
FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then echo {version}; exit; fi
for last; do :; done
echo "$last" >> {folder}/told
case $last in {refused})
    echo "cannot compile $last"
    echo half > "$3"
    /bin/chmod +x "$3"
    exit 1;;
esac
if [ -p {folder}/gate ]; then read -r _ < {folder}/gate; fi
printf '#!/bin/sh\\n' > "$3"
/bin/chmod +x "$3"
"""


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    """Make a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class Machine:
    """A machine on which nothing is installed but what the test installs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.changed = threading.Condition()

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that matter."""
        return {
            "KUBEBUILDER_ASSETS": str(self.folder / "assets"),
            "PATH": str(self.folder / "bin"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    def install_go(self, *, refused: str = "nothing", version: str = "go1.26.8") -> Path:
        """Put a Go on the search path that only pretends."""
        text = FAKE_GO.format(folder=self.folder, refused=refused, version=version)
        return executable(self.folder / "bin/go", text)

    def build(self) -> Path:
        """Build what is missing."""
        return build(self.environment, self.say)

    def say(self, text: str) -> None:
        """Remember what a person would read."""
        with self.changed:
            self.said.append(text)
            self.changed.notify_all()

    def wait_said(self, part: str) -> bool:
        """Wait until something with this part was said."""
        with self.changed:
            return self.changed.wait_for(lambda: any(part in text for text in self.said), SECONDS)

    @property
    def packages(self) -> Sequence[str]:
        """What Go was told to build, in order."""
        told = self.folder / "told"
        return told.read_text().split() if told.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine for one test."""
    return Machine(tmp_path)


def test_a_program_is_taken_from_the_assets_then_the_search_path_then_the_cache(
    machine: Machine,
) -> None:
    """Each place is looked at only if those before it have nothing."""
    cached = executable(binaries.built(machine.environment) / "etcd")
    assert locate("etcd", machine.environment) == cached
    installed = executable(machine.folder / "bin/etcd")
    assert locate("etcd", machine.environment) == installed
    asset = executable(machine.folder / "assets/etcd")
    assert locate("etcd", machine.environment) == asset


def test_a_file_that_cannot_be_run_is_no_program(machine: Machine) -> None:
    """Such as one that a download left behind."""
    path = executable(machine.folder / "assets/etcd")
    path.chmod(0o644)
    assert locate("etcd", machine.environment) is None


def test_what_is_nowhere_is_named_with_the_command_that_helps(machine: Machine) -> None:
    """Helm is not needed to start a world."""
    executable(machine.folder / "bin/kubectl")
    assert missing(machine.environment) == tuple(
        name for name in NAMES if name not in ("kubectl", "helm")
    )
    with pytest.raises(MissingProgramError, match=r"etcd is neither .* run `.* build`"):
        find("etcd", machine.environment)


def test_the_cache_follows_the_environment_and_is_outside_the_checkout() -> None:
    """As the XDG base directory specification says."""
    assert binaries.cache({"XDG_CACHE_HOME": "/c"}) == Path("/c/purelb-kopf/control-plane")
    assert binaries.cache({"HOME": "/h"}) == Path("/h/.cache/purelb-kopf/control-plane")


@pytest.mark.parametrize("name", ["etcd/go.mod", "kubernetes/go.sum", "helm/go.sum"])
def test_another_version_of_any_module_is_another_cache(tmp_path: Path, name: str) -> None:
    """Programs of an older recipe are never mistaken for this one's."""
    modules = copytree(MODULES, tmp_path / "go")
    before = recipe_hash(modules)
    with (modules / name).open("a") as file:
        file.write("// changed\n")
    assert before == recipe_hash()
    assert recipe_hash(modules) != before


def test_another_build_option_is_another_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe is part of the key."""
    before = recipe_hash()
    monkeypatch.setattr(programs, "FLAGS", ("-mod=readonly",))
    assert recipe_hash() != before


def test_kubernetes_is_told_its_version_and_modules_may_not_change() -> None:
    """Clients judge the server by it; go.sum judges the modules."""
    (apiserver,) = (program for program in PROGRAMS if program.name == "kube-apiserver")
    options = arguments(apiserver)
    assert apiserver.module == KUBERNETES
    assert "-mod=readonly" in options
    stamp = options[options.index("-ldflags") + 1]
    assert "-X k8s.io/component-base/version.gitVersion=v1.34." in stamp
    assert "-X k8s.io/component-base/version.gitMinor=34" in stamp


def test_only_what_is_nowhere_is_built_and_each_step_is_shown(machine: Machine) -> None:
    """What is found is named with its place."""
    machine.install_go()
    for name in NAMES[2:]:
        executable(machine.folder / "assets" / name)
    folder = machine.build()
    assert sorted(path.name for path in folder.glob("[!.]*")) == ["etcd", "kube-apiserver"]
    assert machine.packages == [program.package for program in PROGRAMS[:2]]
    assert "etcd: building, 1 of 2" in machine.said
    assert "kube-apiserver: building, 2 of 2" in machine.said
    assert f"kubectl: {machine.folder}/assets/kubectl" in machine.said
    assert missing(machine.environment, NAMES) == ()


def test_a_build_that_was_interrupted_goes_on_where_it_was(machine: Machine) -> None:
    """Half a program is none, and a whole one is not built twice."""
    machine.install_go(refused="*/kube-scheduler")
    with pytest.raises(BuildError, match="kube-scheduler cannot be built: cannot compile"):
        machine.build()
    assert missing(machine.environment, NAMES) == tuple(NAMES[3:])
    done = len(machine.packages)
    machine.install_go()
    machine.build()
    assert missing(machine.environment, NAMES) == ()
    assert machine.packages[done:] == [program.package for program in PROGRAMS[3:]]


def test_two_builders_do_not_build_the_same(machine: Machine) -> None:
    """The second waits for the first, and finds everything done."""
    machine.install_go()
    os.mkfifo(machine.folder / "gate")
    gate = os.open(machine.folder / "gate", os.O_RDWR)  # kept open: what is written waits in it
    first, second = (threading.Thread(target=machine.build, daemon=True) for _ in range(2))
    first.start()
    assert machine.wait_said("etcd: building")
    second.start()
    assert machine.wait_said("another build is under way")
    os.write(gate, b"go\n" * len(NAMES))  # each line lets one program pass
    for thread in (first, second):
        thread.join(SECONDS)
        assert not thread.is_alive()
    os.close(gate)
    assert machine.packages == [program.package for program in PROGRAMS]


@pytest.mark.parametrize("version", ["go1.23.9", "devel"])
def test_a_go_that_is_too_old_gives_way_to_the_one_in_the_cache(
    machine: Machine, version: str
) -> None:
    """It was fetched once and is not fetched again."""
    machine.install_go(version=version)
    folder = binaries.cache(machine.environment)
    fetched = executable(folder / "toolchain/go/bin/go")
    assert find_go(folder, machine.environment, machine.say) == fetched
    assert machine.said == []


def test_a_go_that_is_new_enough_is_used(machine: Machine) -> None:
    """Whatever the cache has."""
    at_hand = machine.install_go(version="go1.24.0")
    assert find_go(machine.folder, machine.environment, machine.say) == at_hand
