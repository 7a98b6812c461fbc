"""The verdicts of `validate`, and what they add up to."""

from enum import StrEnum

from plugin.core.document import Document


class Grade(StrEnum):
    """How good something is."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"


class CheckRow(Document, frozen=True):
    """One verdict."""

    status: str
    message: str


class ValidateReport(Document, frozen=True):
    """All verdicts in the order of the checks; `pass` and its likes count them."""

    checks: tuple[CheckRow, ...]
    pass_: int
    warn: int
    fail: int
    checked: str

    def failure(self, *, is_strict: bool) -> str:
        """Return what the exit code is to tell, empty if all is well."""
        if is_strict and (self.fail or self.warn):
            return f"validation failed (strict): {self.fail} failure(s), {self.warn} warning(s)"
        return f"validation failed: {self.fail} failure(s)" if self.fail else ""


def good(message: str) -> CheckRow:
    """Return a PASS."""
    return CheckRow(status=Grade.PASS, message=message)


def doubtful(message: str) -> CheckRow:
    """Return a WARN."""
    return CheckRow(status=Grade.WARN, message=message)


def bad(message: str) -> CheckRow:
    """Return a FAIL."""
    return CheckRow(status=Grade.FAIL, message=message)


def graded(checks: tuple[CheckRow, ...], checked: str) -> ValidateReport:
    """Count the verdicts."""
    counts = {grade: sum(row.status == grade for row in checks) for grade in Grade}
    return ValidateReport(
        checks=checks,
        pass_=counts[Grade.PASS],
        warn=counts[Grade.WARN],
        fail=counts[Grade.FAIL],
        checked=checked,
    )
