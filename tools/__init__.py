"""Scripts of the Makefile; not installed, not in images."""
