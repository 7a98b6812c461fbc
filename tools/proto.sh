#!/usr/bin/env bash
# Generates the messages of proto/*.proto in an environment of its own, thrown away afterwards.
set -euo pipefail
python=${1:-python3}
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check grpcio-tools
"$scratch/venv/bin/python" -m grpc_tools.protoc --proto_path=proto \
  --python_out=purelb/runtime --pyi_out=purelb/runtime proto/*.proto
