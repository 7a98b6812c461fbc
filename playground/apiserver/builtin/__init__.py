"""The kinds that every cluster has: schemas, admission, table columns.

Belongs here: what is particular to one built-in kind. Does not: storage, HTTP, or anything that
works from a schema alone.
"""
