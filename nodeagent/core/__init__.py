"""Decisions of the node agent: which addresses this node carries, from when on, and until when.

Belongs here: pure functions of what is known and of the time, and the values they exchange. Does
not: sockets, API requests, clocks, logging (`nodeagent.shell`). `config` → `links` → `election` and
`fence` → `desired` → `plan` → `report` is the way of one pass.
"""
