"""A small external IPAM sidecar: a reference for the protocol, and a start for one's own.

It serves pools of its own ranges from a SQLite file. Replace `book` by whatever really owns your
addresses, and keep its promises: the same question gets the same answer, what is unknown is
released with success, and nothing that was answered is ever forgotten.
"""
