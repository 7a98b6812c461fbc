"""Entry point: `python -m bgp`."""

import sys

from bgp import app

if __name__ == "__main__":
    sys.exit(app.main())
