"""The volumes of a Pod: Secrets, ConfigMaps and empty folders, seen by its containers only.

A container is a process without a file system of its own: it gets a mount namespace, in which its
volumes lie over the machine's files. Their paths must be below /run, which is the playground's own,
or exist already. Contents are those of the Pod's start.
"""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playground.api import path_of
from playground.kubelet.commands import CommandError
from playground.kubelet.wire import Container, Pod, Volume, VolumeMount
from purelb.runtime.errors import NotFoundError
from purelb.runtime.kube import Kube

FOLDER = ".volumes"  # no container can be called so
# The API server mounts the token there; here a kubeconfig leads to it (`credentials`).
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
PRIVATE = ("/run/", "/var/run/")
# In the namespace: each volume's folder over its path, then the container itself.
SCRIPT = """
while [ "$1" != -- ]; do
  mkdir -p "$2" && mount --bind "$1" "$2" || exit 128
  [ "$3" = rw ] || mount -o remount,bind,ro,nosuid,nodev,noexec "$2" || exit 128
  shift 3
done
shift
exec "$@"
"""


async def fill(kube: Kube, pod: Pod, folder: Path) -> None:
    """Write what a Pod's volumes hold; raises PurelbError, as for an object that is missing."""
    for volume in pod.spec.volumes or ():
        place = folder / FOLDER / volume.name
        place.mkdir(parents=True, exist_ok=True)
        for name, content in (await _contents(kube, pod.metadata.namespace, volume)).items():
            file = place / name
            file.touch(mode=0o600)
            file.write_bytes(content)


def prefix(pod: Pod, container: Container, folder: Path) -> tuple[str, ...]:
    """Return what to put before a container's command; raises CommandError."""
    mounts = [one for one in container.volume_mounts or () if one.mount_path != TOKEN]
    if not mounts:
        return ()
    words = (
        word
        for mount in mounts
        for word in (
            str(folder / FOLDER / mount.name),
            _target(mount),
            "rw" if _is_writable(_volume(pod.spec.volumes or (), mount.name), mount) else "ro",
        )
    )
    return ("unshare", "--mount", "--", "sh", "-c", SCRIPT, "sh", *words, "--")


def _volume(volumes: Iterable[Volume], name: str) -> Volume:
    for volume in volumes:
        if volume.name == name:
            if volume.secret or volume.config_map or volume.empty_dir is not None:
                return volume
            raise CommandError("CreateContainerConfigError", f"volume {name}: not supported")
    raise CommandError("CreateContainerConfigError", f"the Pod has no volume {name}")


def _target(mount: VolumeMount) -> str:
    if mount.mount_path.startswith(PRIVATE) or Path(mount.mount_path).is_dir():
        return mount.mount_path
    message = f"{mount.mount_path} is neither below /run nor there already"
    raise CommandError("CreateContainerConfigError", message)


def _is_writable(volume: Volume, mount: VolumeMount) -> bool:
    return volume.empty_dir is not None and not mount.read_only


async def _contents(kube: Kube, namespace: str, volume: Volume) -> dict[str, bytes]:
    if (secret := volume.secret) is not None:
        path = path_of("Secret", namespace, secret.secret_name)
        data = await _data(kube, path, is_optional=secret.optional)
        return {name: base64.b64decode(text) for name, text in data.items()}
    if (config := volume.config_map) is not None:
        path = path_of("ConfigMap", namespace, config.name)
        data = await _data(kube, path, is_optional=config.optional)
        return {name: text.encode() for name, text in data.items()}
    return {}


async def _data(kube: Kube, path: str, *, is_optional: bool) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(await kube.get(path)).get("data") or {}
    except NotFoundError:
        if not is_optional:
            raise
        return {}
    return found
