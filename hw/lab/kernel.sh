#!/bin/sh
# kernel.sh DIR MODULE…: puts Debian's kernel (DIR/vmlinuz) and the modules with
# what they need (DIR/modules/NN-name.ko, in load order) into DIR. Nothing is
# installed. It does nothing where DIR is complete. Needs apt-get, dpkg and kmod.
set -eu
dir=$1
shift
[ ! -e "$dir/complete" ] || exit 0
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "the lab's machine is amd64 only" >&2; exit 1; }

# Not the cloud flavour, which lacks media drivers.
package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*-amd64\)$/\1/p' | head -n 1)
[ -n "$package" ] || { echo "apt does not know linux-image-amd64: apt-get update" >&2; exit 1; }
version=${package#linux-image-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download "$package" >apt.log 2>&1 || { tail -n 1 apt.log >&2; exit 1; }
dpkg -x "$package"_*.deb root
rm -f "$package"_*.deb
depmod -b root "$version" 2>/dev/null

mkdir -p "$dir/modules"
rm -f "$dir"/modules/*
cp "root/boot/vmlinuz-$version" "$dir/vmlinuz"
n=10
for module in "$@"; do
	for ko in $(modprobe -d root -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'); do
		name=${ko##*/}
		set -- "$dir"/modules/*-"$name"
		[ ! -e "$1" ] || continue
		cp "$ko" "$dir/modules/$n-$name"
		n=$((n + 1))
	done
done
echo "$version" >"$dir/complete"
