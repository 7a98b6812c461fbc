"""Entry point: `python -m allocator`."""

import sys

from allocator import app

if __name__ == "__main__":
    sys.exit(app.main())
