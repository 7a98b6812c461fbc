#!/usr/bin/env bash
# Pins the Debian packages that images are made of, into requirements/debian.txt: name, version and
# hash per architecture. Reads Debian's signed indices; nothing of it changes the machine.
# SOURCES is the machine's list of Debian's sources (bookworm).
set -euo pipefail
cd "$(dirname "$0")/.."
sources=${SOURCES:-/etc/apt/sources.list.d/debian.sources}
declare -A sets=(
  # A Python with what its standard library and wheels link to.
  [python]="libc6 libgcc-s1 libstdc++6 zlib1g libbz2-1.0 liblzma5 libexpat1 libffi8 libssl3 libsqlite3-0
    libuuid1 python3-minimal python3.11-minimal libpython3.11-minimal libpython3-stdlib
    libpython3.11-stdlib"
  # `ip`, for a person who looks at a node.
  [ip]="iproute2 libbpf1 libelf1 libmnl0 libcap2 libbsd0 libmd0 libselinux1 libpcre2-8-0"
  # With the command line that `kubectl purelb gobgp` runs.
  [gobgp]="gobgpd"
)
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
{
  echo "# Debian's packages in the images, by tools/lock-debian.sh: set, name, architecture, version, SHA-256."
  for architecture in amd64 arm64; do
    state=$folder/$architecture
    mkdir -p "$state"/{lists,cache}/partial
    options=(-q -q -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture"
      -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache" -o Dir::State::status=/dev/null
      -o "Dir::Etc::sourcelist=$sources" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    for set in python ip gobgp; do
      apt-cache "${options[@]}" show --no-all-versions ${sets[$set]} |
        awk -v set="$set" -v arch="$architecture" '/^Package: /{name=$2} /^Version: /{version=$2}
          /^SHA256: /{print set, name, arch, version, $2}'
    done
  done
} > "$folder/debian.txt"
for package in ${sets[*]}; do
  [ "$(grep -c " $package [^ ]* " "$folder/debian.txt")" = 2 ] ||
    { echo "$package is not in $sources for each architecture" >&2; exit 1; }
done
mv "$folder/debian.txt" requirements/debian.txt
