"""What the plugin tells, computed from one snapshot of the cluster. Pure.

Belongs here: documents (the values that become JSON, YAML and tables) and how they come about. What
is allocated, elected or configured is asked of the daemons' own cores. Does not: I/O (`shell`),
text (`render`).
"""
