"""The vocabulary of the suite: identifiers, addresses, annotations, API objects and their views.

Belongs here: values and their parsing, without policy. Does not: decisions (a program's `core`) and
I/O (`purelb.runtime`). Everybody may import it.
"""
