"""Figures: percentiles, how they are shown, and how runs are kept. Pure but for the file."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

Summary: TypeAlias = Mapping[str, float]  # n, p50, p95, p99, max
Figure: TypeAlias = Summary | float

RESULTS = Path(__file__).parent / "results" / "latest.json"


def summarize(samples: Sequence[float]) -> dict[str, float]:
    """Return n and the percentiles of samples (nearest rank); samples may not be empty."""
    ordered = sorted(samples)
    return {
        "n": len(ordered),
        "p50": _rank(ordered, 0.50),
        "p95": _rank(ordered, 0.95),
        "p99": _rank(ordered, 0.99),
        "max": round(ordered[-1], 3),
    }


def _rank(ordered: Sequence[float], share: float) -> float:
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)


def save(figures: Mapping[str, Figure]) -> None:
    """Write a run's figures; those of benchmarks that did not run stay as they were."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**kept, **figures}, indent=2, sort_keys=True) + "\n")


def show(figures: Mapping[str, Figure], console: Console) -> None:
    """Print figures as two tables: distributions and numbers."""
    table = Table(title="distributions", title_justify="left")
    for column in ("figure", "n", "p50", "p95", "p99", "max"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    numbers = Table(title="numbers", title_justify="left")
    numbers.add_column("figure")
    numbers.add_column("value", justify="right")
    for name, figure in figures.items():
        if isinstance(figure, Mapping):
            cells = (figure[key] for key in ("n", "p50", "p95", "p99", "max"))
            table.add_row(name, *(f"{cell:g}" for cell in cells))
        else:
            numbers.add_row(name, f"{figure:g}")
    for shown in (table, numbers):
        if shown.row_count:
            console.print(shown)
