"""Whether this commit may be released: `make release-check`.

Looks at what people forget; that the tests pass is `make test` and `make e2e`.
"""

import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r"\d+\.\d+\.\d+")
CHART_FIELDS = ("version", "appVersion")
CHARTS = "tests/e2e/charts"  # the chart from which upgrades are tested


def problems(
    version: str, changelog: str, chart: str, tags: Collection[str], dirty: Collection[str]
) -> Iterator[str]:
    """Yield a sentence for everything that is in the way of a release.

    `chart` is the text of Chart.yaml, `tags` are those of the repository, `dirty` the paths that
    are not committed as they are.
    """
    if not VERSION.fullmatch(version):
        yield f"purelb.VERSION is {version}: a release has three numbers"
    for field in CHART_FIELDS:
        if not re.search(rf"^{field}: {re.escape(version)}$", chart, re.M):
            yield f"{field} in charts/purelb/Chart.yaml is not {version}"
    if not re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", changelog, re.M):
        yield f"CHANGELOG.md has no section '## {version} - <date>'"
    unreleased = re.search(r"^## Unreleased$(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    if unreleased is None:
        yield "CHANGELOG.md has no section '## Unreleased' for what comes next"
    elif re.search(r"^- ", unreleased[1], re.M):
        yield f"CHANGELOG.md has lines under 'Unreleased': move them to {version}"
    if f"v{version}" in tags:
        yield f"the tag v{version} exists: raise purelb.VERSION"
    if dirty:
        yield f"not committed: {', '.join(sorted(dirty))}"


def untested(version: str, tags: Collection[str], packages: Collection[str]) -> Iterator[str]:
    """Yield a sentence if upgrades are not tested from the release before `version`.

    `packages` are the names of the charts that they are tested from.
    """
    releases = [tag[1:] for tag in tags if VERSION.fullmatch(tag[1:]) and tag[1:] != version]
    last = max(releases, key=lambda text: [int(part) for part in text.split(".")], default=None)
    if last is not None and set(packages) != {f"purelb-{last}.tgz"}:
        yield f"{CHARTS} has not the chart of v{last} alone: put its `helm package` there"


def main() -> int:
    """Print what is in the way; returns 1 if anything is."""
    sys.path.insert(0, str(ROOT))
    from purelb import VERSION as version

    tags = _git("tag", "--list").split()
    found = (
        *problems(
            version,
            (ROOT / "CHANGELOG.md").read_text(),
            (ROOT / "charts/purelb/Chart.yaml").read_text(),
            tags,
            [line[3:] for line in _git("status", "--porcelain").splitlines()],
        ),
        *untested(version, tags, [path.name for path in (ROOT / CHARTS).iterdir()]),
    )
    for text in found:
        print(text)
    if not found:
        print(f"{version} may be released: tag it v{version}")
    return 1 if found else 0


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
