"""What is in the way of a release is told, one sentence each."""

import pytest

from tools.release import problems, untested

CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-01-31\n\n### Added\n- a thing\n"
CHART = "version: 1.2.3\nappVersion: 1.2.3\n"


def test_nothing_is_in_the_way_of_a_release_that_was_prepared() -> None:
    """Version, chart and changelog agree; the tag is free; all is committed."""
    assert list(problems("1.2.3", CHANGELOG, CHART, ["v1.2.2"], [])) == []


@pytest.mark.parametrize(
    ("changelog", "chart", "told"),
    [
        (CHANGELOG, "version: 1.2.3\nappVersion: 1.2.2\n", "appVersion"),
        (CHANGELOG.replace(" - 2026-01-31", ""), CHART, "no section '## 1.2.3"),
        (CHANGELOG.replace("ed\n\n##", "ed\n- b\n\n##"), CHART, "'Unreleased'"),
        (CHANGELOG.replace("Unreleased", "Next"), CHART, "for what comes next"),
    ],
)
def test_what_was_forgotten_is_named(changelog: str, chart: str, told: str) -> None:
    """And nothing else."""
    (only,) = problems("1.2.3", changelog, chart, [], [])
    assert told in only


def test_a_tag_is_used_once_and_for_what_is_committed() -> None:
    """A release can be made again from its tag."""
    first, second = problems("1.2.3", CHANGELOG, CHART, ["v1.2.3"], ["README.md"])
    assert "the tag v1.2.3 exists" in first
    assert second == "not committed: README.md"


def test_a_version_that_is_none_is_named_first() -> None:
    """Whatever else does not fit it."""
    assert "three numbers" in next(problems("1.2.3.dev1", CHANGELOG, CHART, [], []))


@pytest.mark.parametrize("packages", [[], ["purelb-1.2.0.tgz"], ["purelb-1.9.0.tgz", "x.tgz"]])
def test_upgrades_are_tested_from_the_release_before(packages: list[str]) -> None:
    """The newest, which is not the last one by name."""
    (told,) = untested("2.0.0", ["v1.9.0", "v1.10.0", "v2.0.0", "nightly"], packages)
    assert "chart of v1.10.0" in told


def test_before_a_first_release_any_chart_may_be_upgraded_from() -> None:
    """And after one, that of the last."""
    assert not list(untested("0.1.0", [], ["purelb-0.1.0-alpha.tgz"]))
    assert not list(untested("0.2.0", ["v0.1.0"], ["purelb-0.1.0.tgz"]))
