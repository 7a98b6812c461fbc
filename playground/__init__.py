"""A cluster of network namespaces on one machine, for demonstrations, tests and benchmarks."""
