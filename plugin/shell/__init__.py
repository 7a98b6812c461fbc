"""Everything that touches the world: kubeconfig, HTTP, terminal, other programs."""
