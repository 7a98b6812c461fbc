"""The kernel's links, addresses and routes over rtnetlink: observe, change, be told of changes.

Belongs here: messages (`wire`), sockets, and pyroute2 (`links` is its only door). Does not: which
address belongs where. Called by the shells of the network programs only.
"""
