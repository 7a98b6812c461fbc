"""An in-memory Kubernetes API server, good enough for kubectl, informers and Kopf.

Belongs here: what clients can see of a real API server, and switches that make it misbehave. Does
not: controllers (only the garbage collector and the end of namespaces), authentication, admission
plugins. Used by tests, benchmarks and the demo; `ApiServer` in process, `python -m` as a program.
"""

from playground.apiserver.faults import Action, Fault
from playground.apiserver.server import ApiServer, Limits

__all__ = ["Action", "ApiServer", "Fault", "Limits"]
