"""What neighbors are told before this node goes: prefer every other way (RFC 8326). Pure."""

from dataclasses import replace

from bgp.core.model import Change, Engine, Statement

GRACEFUL_SHUTDOWN = "65535:0"  # RFC 8326 section 5
LEAST = 0  # local preference for neighbors in our own AS
NAME = "purelb-graceful-shutdown"


def depreferred(engine: Engine) -> Engine:
    """Return an engine that sends its routes with the community GRACEFUL_SHUTDOWN."""
    if any(statement.name == NAME for statement in engine.policies.exports):
        return engine
    first = Statement(name=NAME, communities=(Change.ADD, (GRACEFUL_SHUTDOWN,)), local_pref=LEAST)
    exports = (first, *engine.policies.exports)
    return replace(engine, policies=replace(engine.policies, exports=exports))
