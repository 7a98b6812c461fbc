"""Whether this is `make soak`: the long form of tests that are short in `make test`."""

import os

IS_SOAK = bool(os.environ.get("PURELB_SOAK"))
