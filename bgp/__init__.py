"""The BGP sidecar: runs gobgpd on one node, and keeps it and the kernel as configured."""
