"""I/O of the sidecar: gobgpd, netlink, the API, metrics."""
