"""The last good spec of a BGPConfiguration, as an annotation of the object itself.

Belongs here: the annotation's text. Does not: which spec is good (`bgp.core.merge`), who writes it
(`bgp.shell.cluster`).
"""

import msgspec

from purelb.api.annotations import BGP_LAST_GOOD
from purelb.api.bgp import BgpConfiguration, BgpSpec
from purelb.api.resources import DecodeError, Wire, encode

# In bytes. All annotations of an object have 256 KiB together (TotalAnnotationSizeLimitB of
# Kubernetes' apimachinery), and `kubectl apply` keeps one more copy of the whole object there.
LONGEST = 96 * 1024


class Kept(Wire, frozen=True):
    """A good spec, and of which object and generation it was.

    The uid tells a copy, which was restored or is another cluster's, from the object itself.
    """

    uid: str = ""
    generation: int = 0
    spec: BgpSpec = BgpSpec()


_decode = msgspec.json.Decoder(Kept).decode


def kept_in(configuration: BgpConfiguration) -> Kept | None:
    """Return what is kept of an object, None without, or if it is another object's."""
    text = (configuration.metadata.annotations or {}).get(BGP_LAST_GOOD)
    if text is None:
        return None
    try:
        kept = _decode(text)
    except DecodeError:
        return None
    return kept if kept.uid == configuration.metadata.uid else None


def kept_text(kept: Kept) -> str | None:
    """Return the text, None if it is longer than there may be."""
    body = encode(kept)
    return body.decode() if len(body) <= LONGEST else None
