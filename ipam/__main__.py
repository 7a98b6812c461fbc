"""Entry point: `python -m ipam --pool NAME=RANGE[,RANGE...]`."""

import sys

from ipam import app

if __name__ == "__main__":
    sys.exit(app.main())
