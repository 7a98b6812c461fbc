"""The allocator's I/O: watches, writes, Events, metrics; no policy."""
