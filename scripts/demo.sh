#!/bin/sh
# From a fresh clone to a trained model: a small stand-in for the Kepler survey, imported, trained
# on two ranks and evaluated.  Everything it writes is in build/demo, which it removes and makes
# again.
set -eu
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

if [ "$(id -u)" -eq 0 ]; then # Open MPI refuses root unless told twice
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
# Two ranks have to run even where there are fewer cores; let the waiting one step aside.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1

step 'packages'
run sh scripts/setup.sh --build-only

step 'build'
[ -f build/release/build.ninja ] || run cmake --preset release -DBUILD_TESTING=OFF
run cmake --build --preset release --target orrery

orrery=$(find build/release -type f -name orrery -perm -u+x | head -n 1)
out=build/demo
rm -rf "$out"
mkdir -p "$out"

step 'a stand-in survey: 400 light curves to learn from, 200 to be judged by'
run "$orrery" synth kepler out="$out/csv" stars=400 test_stars=200 positives=0.1

step 'CSV to shards'
run "$orrery" import examples/kepler/import.yaml input.files="$out/csv/train.csv" out="$out/train"
run "$orrery" import examples/kepler/import.yaml input.files="$out/csv/test.csv" out="$out/test"

step 'train on two ranks'
run mpirun -n 2 "$orrery" train examples/kepler/train.yaml data.train="$out/train" run="$out/run"

step 'evaluate on stars the model has not seen'
run "$orrery" evaluate "$out/run/model.h5" "$out/test"

step "done: model, history and log are in $out/run"
