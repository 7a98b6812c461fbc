"""The node agent's I/O: watches, netlink, packets, writes, Events, metrics; no policy."""
