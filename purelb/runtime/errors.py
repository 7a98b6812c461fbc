"""What can go wrong with the world, in four kinds; lower libraries' errors end at the seams.

A misconfiguration is no error but a `Problem`; a bug is anything that is not listed here.
"""


class PurelbError(Exception):
    """Base of all errors that the runtime raises on purpose."""


class TransientError(PurelbError):
    """The world failed for now: retry with back-off.

    A write that ended so may have happened all the same. `retry_after` in seconds, if the API
    server asked for it; never long.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FencedError(TransientError):
    """Not sent: this process has not, or not for long enough, the right to write."""


class ConflictError(PurelbError):
    """The object changed meanwhile, or exists already: read again."""


class GoneError(PurelbError):
    """The version asked for is no longer kept (HTTP 410): list again."""


class PermanentError(PurelbError):
    """Refused: the same request will be refused again until somebody changes something."""


class NotFoundError(PermanentError):
    """The object, or the whole kind, does not exist."""


class ForbiddenError(PermanentError):
    """RBAC does not allow it."""


class SettingsError(PurelbError):
    """A setting is wrong; ends the start with its one sentence."""
