"""The plugin as one file, run by an interpreter that has nothing installed."""

import asyncio
import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.plugin import scenes
from tests.plugin.stage import ROOT, Stage, play

BARE = getattr(sys, "_base_executable", sys.executable)  # not the one of the environment


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build everything once."""
    folder = tmp_path_factory.mktemp("build")
    build(folder)
    return folder


def build(folder: Path) -> None:
    """Run what `make plugin` runs."""
    argv = [sys.executable, "-m", "tools.plugin", str(folder), "https://releases.example/v1/"]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)


async def run(stage: Stage, program: Path, *words: str) -> tuple[int, str, str]:
    """Run the file with a home of its own, and without our packages."""
    process = await asyncio.create_subprocess_exec(
        BARE,
        "-I",
        str(program),
        *words,
        cwd="/",
        env={
            "KUBECONFIG": str(stage.kubeconfig),
            "HOME": str(stage.kubeconfig.parent),
            "PATH": "/usr/bin:/bin",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def test_the_file_needs_nothing_but_python(tmp_path: Path, built: Path) -> None:
    """Extension modules, regular expressions and the full screen included."""

    async def work(stage: Stage) -> None:
        for words in (["status"], ["validate"], ["top"], ["explain", "shop/web", "-o", "yaml"]):
            code, out, err = await run(stage, built / "kubectl-purelb", *words)
            assert (code, err) == (0, "")
            assert out
        cache = stage.kubeconfig.parent / ".cache" / "kubectl-purelb"
        (folder,) = cache.iterdir()  # unpacked once, nothing left over
        assert (folder / "plugin" / "cli" / "root.py").exists()

    play(tmp_path, scenes.healthy(), work)


def test_the_completion_is_the_same_file_by_another_name(tmp_path: Path, built: Path) -> None:
    """kubectl looks for it in PATH."""

    async def work(stage: Stage) -> None:
        code, out, _ = await run(stage, built / "kubectl_complete-purelb", "vers")
        assert code == 0
        assert [line.split("\t")[0] for line in out.splitlines()] == ["version", ":4"]

    play(tmp_path, (), work)


def test_where_nothing_can_be_kept_it_runs_nevertheless(tmp_path: Path, built: Path) -> None:
    """As in a container with a read-only home."""

    async def work(stage: Stage) -> None:
        (stage.kubeconfig.parent / ".cache").write_text("in the way")
        code, out, err = await run(stage, built / "kubectl-purelb", "version")
        assert (code, err) == (0, "")
        assert out.startswith("Plugin:")

    play(tmp_path, (), work)


def test_another_interpreter_is_told_so(tmp_path: Path, built: Path) -> None:
    """In one line, before anything is unpacked."""
    with zipfile.ZipFile(built / "kubectl-purelb") as archive:
        starter = archive.read("__main__.py").decode()
    other = tmp_path / "other.py"
    other.write_text(starter.replace(f"{sys.version_info[0]}.{sys.version_info[1]}", "3.99"))
    done = subprocess.run([BARE, "-I", other], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was built for cpython-3.99" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_same_sources_give_the_same_bytes(tmp_path: Path, built: Path) -> None:
    """Whoever doubts a release can build it."""
    build(tmp_path)
    assert (tmp_path / "kubectl-purelb").read_bytes() == (built / "kubectl-purelb").read_bytes()


def test_the_manifest_is_one_that_krew_takes(built: Path) -> None:
    """Names, digest, and a short description of fifty characters at most."""
    manifest = yaml.safe_load((built / "purelb.yaml").read_text())
    spec = manifest["spec"]
    (platform,) = spec["platforms"]
    (archive,) = built.glob("*.tar.gz")
    assert manifest["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2"
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("Plugin", "purelb")
    assert spec["version"].startswith("v")
    assert len(spec["shortDescription"]) <= 50
    assert platform["uri"] == f"https://releases.example/v1/{archive.name}"
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert platform["selector"]["matchLabels"]["os"] == sys.platform
    with tarfile.open(archive) as found:
        assert found.getnames() == ["LICENSE", "kubectl-purelb"]
        assert found.getmember(platform["bin"]).mode == 0o755


def test_the_file_can_be_executed(built: Path) -> None:
    """kubectl starts what is executable in PATH."""
    assert os.access(built / "kubectl-purelb", os.X_OK)
    assert (built / "kubectl-purelb").read_bytes().startswith(b"#!/usr/bin/env python3\n")
