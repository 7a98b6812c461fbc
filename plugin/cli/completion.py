"""`kubectl_complete-purelb`: what kubectl asks for when somebody presses the tab key.

kubectl runs it with the words typed so far and expects one suggestion on each line, then `:N` with
cobra's directive (kubectl's documentation of plugins, "Shell completion").
"""

import sys

from click.shell_completion import ShellComplete

from plugin.cli.root import cli

FILES, NO_FILES = 0, 4  # cobra's ShellCompDirectiveDefault and ShellCompDirectiveNoFileComp


def main() -> None:
    """Print the suggestions for the words of the command line; the last one is incomplete."""
    words = sys.argv[1:]
    for line in suggestions(words):
        print(line)


def suggestions(words: list[str]) -> list[str]:
    """Return the lines to print."""
    *before, typed = words or [""]
    complete = ShellComplete(cli, {}, "kubectl purelb", "")
    found = complete.get_completions(before, typed)
    if any(one.type == "file" for one in found):
        return [f":{FILES}"]
    lines = [f"{one.value}\t{one.help}" if one.help else one.value for one in found]
    return [*lines, f":{NO_FILES}"]
