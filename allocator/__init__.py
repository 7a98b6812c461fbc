"""Gives addresses to Services of type LoadBalancer: `core` decides, `shell` acts, `app` wires."""
