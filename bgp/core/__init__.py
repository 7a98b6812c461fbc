"""Decisions of the sidecar: values in, values out.

Belongs here: what the engine should do, by which calls it gets there, which routes are whose, what
is told about it. Does not: gRPC, netlink, the API, time.
"""
