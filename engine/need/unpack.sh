# unpack.sh DIR PACKAGE…: unpacks Debian packages into DIR, with the libraries
# that they need and the machine lacks. Nothing is installed. It does nothing
# where DIR was filled on this release before. Needs apt-get, dpkg and flock.
set -eu
export LC_ALL=C
dir=$1
shift
mkdir -p "${dir%/*}"
exec 9>"$dir.lock"
flock 9 # tests of several packages run at the same time
release=$(dpkg --print-architecture; cat /etc/debian_version)
[ "$(cat "$dir/release" 2>/dev/null)" != "$release" ] || exit 0

work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
# What an installation would bring along, but only its libraries.
apt-get install -s -qq --no-install-recommends "$@" >plan 2>apt.log || { tail -n 1 apt.log >&2; exit 1; }
libraries=$(sed -n 's/^Inst \(lib[^ ]*\) .*/\1/p' plan)
apt-get download -qq "$@" $libraries >apt.log 2>&1 || { tail -n 1 apt.log >&2; exit 1; }
for deb in *.deb; do
	dpkg -x "$deb" .
done
rm -f ./*.deb plan apt.log
echo "$release" >release
rm -rf "$dir"
mv "$work" "$dir"
