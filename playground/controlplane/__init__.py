"""A real Kubernetes control plane: found or built, certified, started in the playground's world.

Belongs here: kube-apiserver and its companions, from Go modules to command lines and identities.
Does not: the order of a world's start (`playground.supervisor`), which reaches this package through
`playground.planes` only, so that the embedded path never imports it.
"""
