"""Makes one node carry the right addresses: `core` decides, `shell` acts, `app` wires."""
