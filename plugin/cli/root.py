"""The root command, and the edge at which every error becomes one line.

Commands are imported when they are called: a start must not cost what only others need.
"""

import errno
import importlib
import io
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from plugin.cli.options import shown_connection
from plugin.core.problem import CheckFailedError, NothingToShowError, PluginError
from plugin.shell.output import plain

MODULES = {
    "plugin.cli.advice": ("diff", "doctor", "explain", "support-bundle", "why"),
    "plugin.cli.bgp": ("bgp",),
    "plugin.cli.dashboard": ("dashboard",),
    "plugin.cli.deep": ("election", "inspect", "validate"),
    "plugin.cli.inside": ("gobgp", "ip"),
    "plugin.cli.moves": ("evacuate", "move", "uncordon"),
    "plugin.cli.page": ("report",),
    "plugin.cli.top": ("top",),
    "plugin.cli.overview": ("pools", "services", "status", "version"),
}
COMMANDS = {name: module for module, names in MODULES.items() for name in names}
HIDDEN = ("why",)  # other names of what is shown
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(set(COMMANDS) - set(HIDDEN))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(
    cls=LazyGroup,
    name="kubectl purelb",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0, or 1 with one line on stderr.",
)
@shown_connection
def cli() -> None:
    """Show how Services of type LoadBalancer get their addresses, and who announces them."""


def main() -> NoReturn:
    """Run the command line and exit: 0, or 1 with one line on stderr."""
    for stream in (sys.stdout, sys.stderr):  # a locale may lack letters that annotations have
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code; no exception leaves."""
    try:
        cli.main(arguments, prog_name="kubectl purelb", standalone_mode=False)
        sys.stdout.flush()
    except NothingToShowError as error:
        print(error)
    except (CheckFailedError, PluginError) as error:
        return _failed(str(error))
    except click.exceptions.NoArgsIsHelpError as error:  # a question, not a mistake
        print(error.format_message())
    except click.ClickException as error:
        return _failed(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        _drop_output()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            return _failed(_bug(error))
        _drop_output()
        return _failed(f"cannot write the output: {error.strerror}")
    except Exception as error:
        return _failed(_bug(error))
    return 0


def _drop_output() -> None:
    """Let what is still buffered go nowhere, else the interpreter complains at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(message: str) -> int:
    if message:
        print(plain(f"Error: {message}"), file=sys.stderr)
    return 1


def _bug(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    text: Any = " ".join(str(error).split())[:200]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"
    return f"this is a defect of the plugin ({type(error).__name__} at {where}: {text}); report it"
