"""Entry point: `python -m nodeagent`."""

import sys

from nodeagent import app

if __name__ == "__main__":
    sys.exit(app.main())
