"""The documentation, read as data: no dead link, nothing undocumented, nothing that does not exist.

`make docs` builds it strictly, and `tests/e2e/test_get_started.py` does what it says.
"""

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from allocator import settings as allocator_settings
from bgp import settings as sidecar_settings
from nodeagent import settings as agent_settings
from nodeagent.core.findings import Check
from purelb.api import annotations
from tests.charts import CHART, leaves

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))
LINK = re.compile(r"(?<!!)\[[^]\n]+\]\(([^)\s]+)\)")
CAMEL = re.compile(r"[A-Z][a-z]+(?:[A-Z]+[a-z0-9]+)+")
# Where Events are worded; conditions have words of their own.
WORDINGS = (
    *("allocator/core/notices.py", "allocator/core/pool.py", "allocator/core/select.py"),
    *("nodeagent/core/words.py", "nodeagent/core/config.py", "nodeagent/core/hostchecks.py"),
    *("bgp/core/words.py", "bgp/core/desired.py", "bgp/shell/reconcile.py"),
    *("bgp/shell/cluster.py", "bgp/app.py"),
)


def _maker() -> object:
    """Return the module that makes pages."""
    spec = importlib.util.spec_from_file_location("docs_hook", ROOT / "tools/docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = _maker()
MADE: dict[str, str] = {path: make() for path, make in MAKER.MADE.items()}  # type: ignore[attr-defined]


def content(path: Path) -> str | None:
    """Return a page, also one that is made; None if there is none."""
    if path.exists():
        return path.read_text() if path.suffix == ".md" else ""
    made = path.relative_to(DOCS) if path.is_relative_to(DOCS) else path
    return MADE.get(str(made))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings."""
    found = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    plain = (re.sub(r"[^\w\s-]", "", title).strip().lower() for title in found)
    return {re.sub(r"[\s]+", "-", title) for title in plain}


def first_column(page: str, section: str = "") -> list[str]:
    """Return the code in the first column of a page's tables."""
    text = (DOCS / "reference" / page).read_text()
    return re.findall(r"^\| `([^`]+)` \|", text.partition(section)[2] if section else text, re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    """To files of this repository, pages that are made, and headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in LINK.findall(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        found = content(path)
        assert found is not None, target
        if anchor:
            assert anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_logs_are_read_of_all_pods(page: Path) -> None:
    """`kubectl logs daemonset/...` takes one Pod, whichever; and ten lines of each by label."""
    for command in re.findall(r"kubectl [^`\n|]* logs [^`\n|]*", page.read_text()):
        assert not re.search(r"logs (daemonset|deployment)/", command), command
        assert " -l " not in command or "--prefix" in command, command


def test_every_page_is_in_the_navigation() -> None:
    """But decisions, which are for people who change the code."""
    config = re.sub(r"!!python/name:\S+", "x", (ROOT / "mkdocs.yml").read_text())

    def listed(nav: object) -> Iterator[str]:
        for entry in (
            nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else []
        ):
            if isinstance(entry, str):
                yield entry
            else:
                yield from listed(entry)

    found = list(listed(yaml.safe_load(config)["nav"]))
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    pages = {path for path in pages if not path.startswith("adr/")} | MADE.keys()
    assert sorted(found) == sorted(pages)


def test_the_reference_lists_every_annotation_and_no_other() -> None:
    """Those of the vocabulary, and the chart's."""
    known: set[str] = {"purelb.io/applied-by"}
    for name, value in vars(annotations).items():
        if name.isupper() and name not in ("PREFIX", "ANNOUNCING_PREFIX", "OURS"):
            values = value.values() if isinstance(value, dict) else value
            values = (values,) if isinstance(values, str) else values
            known |= {text for text in values if isinstance(text, str) and "purelb.io/" in text}
    assert sorted(first_column("annotations.md")) == sorted(known)


def test_the_reference_lists_every_event_and_no_other() -> None:
    """By the words in the modules that word them; `Parsed` is one, too.

    A fault of an LBNodeAgent has a word of its own as its reason.
    """
    worded = {
        node.value
        for name in WORDINGS
        for node in ast.walk(ast.parse((ROOT / name).read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CAMEL.fullmatch(node.value)
    }
    found_on_nodes = {check.value for check in Check} - {Check.CONFIGURATION.value}
    assert sorted(first_column("events.md")) == sorted(worded | found_on_nodes | {"Parsed"})


def test_no_module_words_events_that_is_not_looked_at() -> None:
    """But that of a node's findings, whose checks are their reasons."""
    worders = {
        str(path.relative_to(ROOT))
        for package in ("allocator", "bgp", "ipam", "nodeagent", "purelb", "upkeep")
        for path in (ROOT / package).rglob("*.py")
        if "Notice(" in path.read_text()
    }
    assert worders - {*WORDINGS, "purelb/api/problems.py"} <= {"nodeagent/core/findings.py"}


@pytest.mark.parametrize(
    ("module", "program"), [(allocator_settings, "allocator"), (agent_settings, "agent")]
)
def test_the_reference_lists_every_setting_and_no_other(module: object, program: str) -> None:
    """Flags and variables, from the source of the module that reads them."""
    source = Path(str(module.__file__)).read_text()  # type: ignore[attr-defined]
    variables = set(re.findall(r'"((?:PURELB_|DEFAULT_|KUBECONFIG)[A-Z_]*)"', source))
    flags = set(re.findall(r'"--([a-z-]+)"', source))
    flags |= set(re.findall(r'\("([a-z-]+)", "[A-Z_]+", ', source))
    rows = re.findall(
        r"^\| (?:`(\w+)`|-) \| (?:`--([a-z-]+)`|-) \| (\w+) \|",
        (DOCS / "reference/settings.md").read_text(),
        re.M,
    )
    mine = [row for row in rows if row[2] in ("both", program)]
    assert {variable for variable, _, _ in mine if variable} == variables
    assert {flag for _, flag, _ in mine if flag} == flags


def test_the_reference_lists_every_setting_of_the_sidecar_and_no_other() -> None:
    """Which are called as k8gobgp calls them."""
    source = Path(str(sidecar_settings.__file__)).read_text()
    known = dict(re.findall(r'\("([a-z-]+)", "([A-Z_]+)", ', source))
    known |= {"enable-per-neighbor-metrics": "ENABLE_PER_NEIGHBOR_METRICS"}
    rows = re.findall(
        r"^\| `(\w+)` \| (?:`--([a-z-]+)`|-) \| sidecar \|",
        (DOCS / "reference/settings.md").read_text(),
        re.M,
    )
    assert {flag: variable for variable, flag in rows if flag} == known
    alone = {variable for variable, flag in rows if not flag}
    assert alone == {"GOBGP_SOCKET", "PURELB_LOG_LEVEL"}


def test_the_reference_lists_every_flag_of_the_reference_provider_and_no_other() -> None:
    """It reads no variable."""
    source = (ROOT / "ipam/app.py").read_text()
    rows = re.findall(
        r"^\| - \| `--([a-z-]+)` \| ipam \|", (DOCS / "reference/settings.md").read_text(), re.M
    )
    assert sorted(rows) == sorted(re.findall(r'add_argument\(\s*"--([a-z-]+)"', source))


def test_nobody_else_reads_a_variable_of_ours() -> None:
    """Settings are read in the modules whose settings the reference lists, but for the Jobs'."""
    packages = ("allocator", "bgp", "ipam", "nodeagent", "purelb")
    readers = {
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if re.search(r'"PURELB_[A-Z_]+"', path.read_text())
    }
    assert readers == {f"{name}/settings.py" for name in ("allocator", "bgp", "nodeagent")}


def test_the_reference_of_values_is_complete() -> None:
    """One row for each, with its comment."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    rows = re.findall(r"^\| `([^`]+)` \| .+ \| (.+) \|$", MADE["reference/values.md"], re.M)
    assert [path for path, _ in rows] == [path for path, _ in leaves(values, schema)]
    assert all(meaning.strip() for _, meaning in rows)


def test_the_reference_of_custom_resources_describes_every_field() -> None:
    """A field without a description is a question."""
    rows = re.findall(r"^\| `([^`]+)`\*? \| .* \| .* \| (.*) \|$", MADE["reference/crds.md"], re.M)
    assert len(rows) > 60
    assert [path for path, meaning in rows if not meaning.strip()] == []
