"""`kubectl purelb`: what an operator asks about the load-balancer, answered from the API server.

Fetch (`shell`), compute (`core`, with the daemons' own cores), render (`render`): three steps of
every command, put together in `cli`. Nothing here runs in the cluster.
"""
