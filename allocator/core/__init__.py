"""Which Service gets which address: pure decisions over frozen values.

Belongs here: rules. Does not: watching, writing, clocks, logs (`allocator.shell`). The one door is
`decide.decide`; its result goes to `ledger.Ledger.commit` in the same synchronous stretch and to
`report.writes_of` for the bodies of the API requests.
"""
