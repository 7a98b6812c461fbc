"""Times: texts of the API → seconds, seconds → the short texts of tables."""

from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86400


def parse_time(text: str | None) -> float | None:
    """Return an RFC 3339 time in seconds since 1970; None for none, or what is no time."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def span_text(seconds: float) -> str:
    """Return `0s`, `Ns`, `NmNs`, `NhNm` or `NdNh`; what has not begun is `0s`."""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE}s"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE}m"
    return f"{whole // DAY}d{whole % DAY // HOUR}h"
