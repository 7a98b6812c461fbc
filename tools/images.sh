#!/usr/bin/env bash
# Builds the images with buildah: images.sh TAG TARGET... Without a registry in reach the base is made
# from Debian's packages by mmdebstrap, once; it only builds, nothing of it is in an image. SOURCES is
# the machine's list of Debian's sources (bookworm, its security updates too), as for the lock.
# CA_FILE names certificates to trust while libraries are fetched, where a proxy has its own.
# SAME_AS=TAG: builds anew, without caches, and fails if an image is not the one of that tag, bit by bit.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$1; shift
base=debian:bookworm-slim
command -v buildah >/dev/null || { echo "buildah is needed: apt-get install buildah" >&2; exit 3; }

if ! timeout 60 buildah pull --quiet --policy missing "$base" >/dev/null 2>&1; then
  base=localhost/purelb-kopf/base:debian-12
  if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    command -v mmdebstrap >/dev/null ||
      { echo "no registry in reach, and no mmdebstrap to do without one" >&2; exit 3; }
    echo "no registry in reach: making a base from Debian's packages"
    folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
    mmdebstrap --quiet --variant=apt bookworm "$folder/root.tar" \
      "${SOURCES:-/etc/apt/sources.list.d/debian.sources}"
    printf 'FROM scratch\nADD root.tar /\n' > "$folder/Dockerfile"
    buildah bud --quiet --tag "$base" "$folder" >/dev/null
  fi
fi

options=(--isolation chroot --network host --layers --timestamp "${SOURCE_DATE_EPOCH:-0}")
[ -z "${CA_FILE:-}" ] || options+=(--volume "$CA_FILE:/mnt/ca.crt:ro" --env PIP_CERT=/mnt/ca.crt)
[ -z "${SAME_AS:-}" ] || options+=(--no-cache)
identity() { buildah inspect --type image --format '{{.FromImageID}}' "localhost/purelb-kopf/$1"; }
for target in "$@"; do
  echo "building $target"
  buildah bud --quiet "${options[@]}" --build-arg "BASE=$base" --target "$target" \
    --tag "localhost/purelb-kopf/$target:$tag" . >/dev/null
  buildah images --format '{{.Name}}:{{.Tag}} {{.Size}}' "localhost/purelb-kopf/$target:$tag"
  [ -z "${SAME_AS:-}" ] || [ "$(identity "$target:$tag")" = "$(identity "$target:$SAME_AS")" ] ||
    { echo "$target: not the same as $SAME_AS: $(identity "$target:$SAME_AS")" >&2; exit 1; }
done
