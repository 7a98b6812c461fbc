"""How long to wait after failures. Pure: the shells add the jitter."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Doubling delays in seconds, from `first` up to `longest`."""

    first: float
    longest: float

    def delay(self, failures: int) -> float:
        """Return the delay after so many failures in a row; 0 after none."""
        if failures <= 0:
            return 0.0
        return float(min(self.longest, self.first * 2.0 ** min(failures - 1, 40)))
