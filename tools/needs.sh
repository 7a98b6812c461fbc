#!/usr/bin/env bash
# Names what the system lacks, with the command that installs it, before anything else happens.
set -u
python=${1:-python3}
missing=()
command -v ip >/dev/null || [ -x /usr/sbin/ip ] || [ -x /sbin/ip ] || missing+=(iproute2)
command -v nft >/dev/null || [ -x /usr/sbin/nft ] || missing+=(nftables)
command -v unshare >/dev/null && command -v nsenter >/dev/null || missing+=(util-linux)
if ! command -v "$python" >/dev/null; then
  missing+=(python3 python3-venv)
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "$("$python" --version) is too old: Python 3.11 or later is needed." >&2
  echo "Install one (Debian 12: sudo apt-get install python3 python3-venv;" >&2
  echo "Ubuntu 22.04: sudo apt-get install python3.11 python3.11-venv), then: make PYTHON=python3.11 ..." >&2
  exit 1
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  missing+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "This machine lacks: ${missing[*]}" >&2
  echo "Install with: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
