"""Command line: `python -m playground.controlplane build`; prints the folder of what it built."""

import argparse
import os
import sys

from playground.controlplane.build import BuildError, build
from playground.controlplane.toolchain import ToolchainError


def main() -> int:
    """Run the command; returns its exit code. Progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m playground.controlplane", description=__doc__)
    parser.add_argument("command", choices=["build"])
    parser.parse_args()
    try:
        print(build(os.environ, lambda text: print(text, file=sys.stderr, flush=True)))
    except (BuildError, ToolchainError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # what is done stays done
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
