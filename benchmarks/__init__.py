"""What is fast, next to the floor of the same machine in the same run. `make bench`."""
