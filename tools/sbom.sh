#!/usr/bin/env bash
# Writes the bill of materials of each built image: sbom.sh FOLDER TARGET...
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1; shift
version=$(python3 -c 'import purelb; print(purelb.VERSION)')
mkdir -p "$folder"
for target in "$@"; do
  container=$(buildah from --pull-never "localhost/purelb-kopf/$target:$version")
  python3 tools/sbom.py "$(buildah mount "$container")" "$target" > "$folder/$target.cdx.json"
  buildah rm "$container" >/dev/null
  echo "$folder/$target.cdx.json"
done
