"""Label selectors convert and match as apimachinery's do."""

import pytest

from purelb.api.resources import LabelSelector, SelectorRequirement
from purelb.core.selectors import defect_of, is_catch_all, matches

LABELS = {"zone": "a", "example.com/rack": "7", "empty": ""}


def expressions(key: str, operator: str, *values: str) -> LabelSelector:
    """Build a selector with one expression."""
    one = SelectorRequirement(key=key, operator=operator, values=values or None)
    return LabelSelector(match_expressions=(one,))


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (LabelSelector(match_labels={"zone": "a"}), True),
        (LabelSelector(match_labels={"zone": "b"}), False),
        (LabelSelector(match_labels={"zone": "a", "absent": "x"}), False),
        (expressions("zone", "In", "b", "a"), True),
        (expressions("absent", "In", "a"), False),
        (expressions("zone", "NotIn", "b"), True),
        (expressions("zone", "NotIn", "a"), False),
        (expressions("absent", "NotIn", "a"), True),
        (expressions("example.com/rack", "Exists"), True),
        (expressions("absent", "Exists"), False),
        (expressions("absent", "DoesNotExist"), True),
        (expressions("zone", "DoesNotExist"), False),
        (expressions("empty", "In", ""), True),
    ],
)
def test_a_selector_matches_labels(selector: LabelSelector, *, expected: bool) -> None:
    """Every operator, with and without the key."""
    assert defect_of(selector) is None
    assert matches(selector, LABELS) is expected


@pytest.mark.parametrize(
    ("selector", "part"),
    [
        (expressions("zone", "Gt", "1"), "'Gt' is not"),
        (expressions("zone", ""), "'' is not"),
        (expressions("zone", "In"), "needs values"),
        (expressions("zone", "NotIn"), "needs values"),
        (expressions("zone", "Exists", "a"), "takes no values"),
        (expressions("zone", "DoesNotExist", "a"), "takes no values"),
        (expressions("", "Exists"), "'' is not a label key"),
        (expressions("-zone", "Exists"), "is not a label key"),
        (expressions("a/b/c", "Exists"), "is not a label key"),
        (expressions("/zone", "Exists"), "is not a label key"),
        (expressions("Example.com/zone", "Exists"), "is not a label key"),
        (expressions("x" * 64, "Exists"), "is not a label key"),
        (expressions("a." * 127 + "a/zone", "Exists"), "is not a label key"),
        (expressions("zone", "In", "a", "b c"), "'b c' is not a label value"),
        (LabelSelector(match_labels={"zone": "x" * 64}), "is not a label value"),
    ],
)
def test_a_selector_that_does_not_convert_says_why(selector: LabelSelector, part: str) -> None:
    """Operators pass admission whatever they are."""
    assert part in (defect_of(selector) or "")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, True),
        (LabelSelector(), True),
        (LabelSelector(match_labels={}, match_expressions=()), True),
        (LabelSelector(match_labels={"zone": "a"}), False),
        (expressions("zone", "Gt"), False),
    ],
)
def test_only_an_absent_or_empty_selector_is_a_catch_all(
    selector: LabelSelector | None, *, expected: bool
) -> None:
    """One that does not convert matches no node instead."""
    assert is_catch_all(selector) is expected
