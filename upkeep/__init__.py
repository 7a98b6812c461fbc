"""What the chart's Jobs do, from the allocator's image: `crds`, `leave` and `check`.

Belongs here: short programs that end, for what Helm cannot do itself. Does not: anything that runs
while the suite does, which is the daemons'. Each Job has rights of its own, for its own time only.
"""
