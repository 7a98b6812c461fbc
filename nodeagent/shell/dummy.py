"""Makes, switches on and deletes the link for remote addresses, as a plan says."""

from nodeagent.core.ops import DeleteLink, LinkOp, MakeLink, RaiseLink
from purelb.runtime.netlink import links


async def change_link(op: LinkOp, kind: str) -> None:
    """Carry out one operation; `kind` is the kernel's name for new links. Raises PurelbError."""
    match op:
        case MakeLink(link=name):
            await links.make_dummy(name, kind)
        case RaiseLink(index=index):
            await links.switch_on(index)
        case DeleteLink(link=name):
            await links.delete_dummy(name)
