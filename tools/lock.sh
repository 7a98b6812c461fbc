#!/usr/bin/env bash
# Pins the dependencies of each program and of development, with hashes and without index addresses.
set -euo pipefail
uv=${1:-uv}
compile() { # compile FILE [ARGUMENT...]
  local file=$1; shift
  "$uv" pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
    --no-emit-find-links --python-version 3.11 "$@" pyproject.toml -o "requirements/$file.txt"
}
compile dev --extra allocator --extra bgp --extra ipam --extra nodeagent --extra playground --extra plugin --extra dev
compile docs --extra docs  # in an environment of its own: make docs
for program in allocator bgp ipam nodeagent plugin; do
  compile "$program" --extra "$program" -c requirements/dev.txt
done
