#!/bin/sh
# Installs what Orrery is built, run and tested with, on Debian 12: only what is missing, in one
# apt-get call.
#   sh scripts/setup.sh               everything
#   sh scripts/setup.sh --build-only  what building and running needs, without the test oracles
set -eu

build='gcc g++ cmake ninja-build pkg-config
    libopenmpi-dev openmpi-bin libopenblas-openmp-dev libdnnl-dev libhdf5-openmpi-dev libhdf5-dev
    libyaml-dev libcjson-dev libarchive-dev libssl-dev libfast-float-dev
    libcurl4-openssl-dev libcfitsio-dev wcslib-dev liberfa-dev libbz2-dev zlib1g-dev libsqlite3-dev'
test='libcmocka-dev clang-format clang-tidy libomp-dev
    python3 python3-numpy python3-torch python3-sklearn python3-scipy python3-h5py python3-pandas
    python3-astropy nginx-light curl slurmctld slurmd slurm-client munge iproute2'

say() { printf 'setup: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

case "${1-}" in
'') wanted="$build $test" ;;
--build-only) wanted=$build ;;
*) printf 'usage: sh scripts/setup.sh [--build-only]\n' >&2; exit 2 ;;
esac
wanted=$(echo $wanted)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this system has no apt-get; install what these Debian 12 packages hold, then build as CONTRIBUTING.md says: $wanted"
fi

# dpkg-query fails when it knows nothing of a package; what it does print is still right.
installed=$(dpkg-query -W -f='${Package}=${db:Status-Status}\n' $wanted 2>/dev/null || true)
missing=
for package in $wanted; do
    case "
$installed
" in
    *"
$package=installed
"*) ;;
    *) missing="$missing $package" ;;
    esac
done
if [ -z "$missing" ]; then
    say 'every package is there'
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
        die "packages are missing and there is no sudo; as root: apt-get install --no-install-recommends$missing"
    as_root=sudo
fi
say "installing$missing"
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }
apt update || say 'apt-get update failed; trying with the package lists that are there'
apt install -y --no-install-recommends $missing ||
    die "apt-get could not install:$missing (its reason is above)"
