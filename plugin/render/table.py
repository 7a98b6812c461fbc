"""Columns padded with two blanks."""

from collections.abc import Iterable, Sequence

GAP = "  "


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table; the last column is not padded."""
    texts = [list(headers), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(headers) - 1)]
    return [
        GAP.join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in texts
    ]


def or_dash(text: str) -> str:
    """Return a cell's text, a dash for none."""
    return text or "-"
