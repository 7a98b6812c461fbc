"""Columns padded with two blanks."""

import unicodedata
from collections.abc import Iterable, Sequence

GAP = "  "


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table; the last column is not padded."""
    texts = [list(headers), *([str(cell) for cell in row] for row in rows)]
    widths = [max(_width(row[column]) for row in texts) for column in range(len(headers) - 1)]
    return [
        GAP.join(
            [*(_padded(cell, width) for cell, width in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in texts
    ]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _width(cell: str) -> int:
    """Return how many columns of a terminal a text takes: free texts may have any letters."""
    if cell.isascii():
        return len(cell)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in cell
    )


def or_dash(text: str) -> str:
    """Return a cell's text, a dash for none."""
    return text or "-"
