"""Entry point: `python -m upkeep crds FOLDER`, or `leave`, or `check`."""

import sys

from upkeep import app

if __name__ == "__main__":
    sys.exit(app.main())
