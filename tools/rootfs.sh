#!/usr/bin/env bash
# Unpacks Debian packages into a folder, as the root of an image: rootfs.sh FOLDER LOCK SET...
# Runs in a Debian container with binutils. LOCK names the packages of each set, their versions and
# hashes (tools/lock-debian.sh); that no library is missing is checked at the end.
set -euo pipefail
root=$1 lock=$(realpath "$2"); shift 2
architecture=$(dpkg --print-architecture)
mkdir -p "$root"/usr/{bin,sbin,lib,lib64,share} "$root"/{etc,run,tmp,var,proc,sys,dev} debs
for name in bin sbin lib lib64; do ln -sfn "usr/$name" "$root/$name"; done  # as in any Debian now
ln -sfn /run "$root/var/run"
apt-get update -qq
wanted=$(awk -v arch="$architecture" -v sets=" $* " '$3 == arch && index(sets, " " $1 " ")' "$lock")
[ -n "$wanted" ] || { echo "$lock has nothing for $architecture" >&2; exit 1; }
(cd debs && apt-get download -qq -o APT::Sandbox::User=root $(awk '{print $2 "=" $4}' <<< "$wanted")) ||
  { echo "Debian has other versions than those that are locked: make lock-images" >&2; exit 1; }
diff <(sha256sum debs/*.deb | cut -d ' ' -f 1 | sort) <(awk '{print $5}' <<< "$wanted" | sort) ||
  { echo "a package is not the one that is locked" >&2; exit 1; }
for package in debs/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink
  # Name, version and source: what the bill of materials is made of.
  dpkg-deb -W --showformat='${Package} ${Version} ${source:Package}\n' "$package"
done > "$root/usr/share/packages.txt"

cd "$root"
find usr/bin usr/sbin \( -type f -o -type l \) ! -name ip ! -name 'python3*' \
  ! -name gobgp ! -name gobgpd -delete
rm -rf usr/lib/{tc,*/tc} usr/share/{doc,man,locale,lintian,bash-completion,info,apport,python3} etc/python3*
cd usr/lib/python3*/
rm -rf __pycache__ ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo distutils
rm -f lib-dynload/{readline,_dbm,_gdbm,_curses,_curses_panel,nis,_crypt}.*  # and their libraries
cd "$root"
ln -sfn python3 usr/bin/python
printf 'root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n' > etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' > etc/group
chmod 1777 tmp

needed=$(find usr -type f \( -name '*.so*' -o -perm -u+x \) -exec sh -c 'readelf -d "$@" 2>/dev/null || :' - {} + |
  sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u)
for library in $needed; do
  [ -n "$(find usr/lib usr/lib64 -name "$library" -print -quit)" ] || lacking+=("$library")
done
[ -z "${lacking:-}" ] || { echo "missing in the image: ${lacking[*]}" >&2; exit 1; }
