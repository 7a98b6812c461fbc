"""What the programs of the suite share: `api` (vocabulary), `core` (rules), `runtime` (I/O)."""

VERSION = "0.1.0"
