"""What ends a command: one sentence that names the remedy. No user sees a stack trace."""


class PluginError(Exception):
    """The command cannot answer; the text says why and what would change that."""


class CheckFailedError(Exception):
    """The answer was printed, and it is bad news that the exit code must tell."""


class NothingToShowError(Exception):
    """What was asked about is not in use, which is legitimate; the text is all there is to say."""
