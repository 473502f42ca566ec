#!/bin/sh
# Builds and tests everything that can be tested on one machine:
#   release  all tests
#   asan     the C tests that are not slow, under the address and undefined-behaviour sanitizers
#   tsan     the tests of what has threads of its own, under the thread sanitizer
#   no-mpi   builds, and the fast tests
# The checks of clang-tidy and the builds of the last three need nothing but processors, and many
# tests of release wait for clocks: they go on beside these, at a priority that gives way at once.
# A step that does not build, runs no test or overruns its time counts as one failure; the others
# still run. The last line is "N passed, N failed"; the exit status says whether all passed.
set -u
cd "$(dirname "$0")/.." || exit 1

# ---- what goes on beside the tests of release: in a session of its own, test.sh --beside ----
# shellcheck disable=SC2317 # it is reached with --beside
yielding() { # COMMAND ...
    if chrt --idle 0 true 2>/dev/null; then
        nice -n 19 chrt --idle 0 "$@" # nice: as such it counts in the system's times
    else
        nice -n 19 "$@"
    fi
}

note() { # NAME COMMAND ...: what it said, then how it ended
    name=$1
    shift
    "$@" >"build/$name.log" 2>&1
    echo $? >"build/$name.status"
}

# shellcheck disable=SC2317
make_preset() { # PRESET [TARGET ...]
    preset=$1
    shift
    yielding cmake --preset "$preset" -DBUILD_TESTING=ON &&
        yielding cmake --build --preset "$preset" --parallel "${ORRERY_JOBS:-$(nproc)}" ${1:+--target "$@"}
}

if [ "${1-}" = --beside ]; then
    # Where the system weighs sessions before it weighs processes, a nice process of this session
    # would take as much as all of the tests' sessions: the session itself has to be nice.
    [ ! -w /proc/self/autogroup ] || echo 19 >/proc/self/autogroup 2>/dev/null || true
    python=$(sed -n 's/^ORRERY_PYTHON:[^=]*=//p' build/release/CMakeCache.txt)
    note tidy yielding "$python" tests/tools/check_tidy.py build/release
    note asan make_preset asan
    # Where threads of ours meet: the loader, the log, the progress line, the writer of checkpoints.
    note tsan make_preset tsan test_data_loader test_core_log test_core_progress test_jobs_train_saver
    note no-mpi make_preset no-mpi
    exit
fi

passed=0
failed=0
skipped=0
failures=
jobs=${ORRERY_JOBS:-$(nproc)}

if [ "$(id -u)" -eq 0 ]; then # Open MPI refuses root unless told twice
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

fail() { # WHAT
    failed=$((failed + 1))
    failures="$failures
  $1"
}

finish() {
    [ -z "$failures" ] || printf '\nfailed:%s\n' "$failures"
    [ "$skipped" -eq 0 ] || printf '\n%s skipped\n' "$skipped"
    printf '\n%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
    exit
}

build() { # PRESET TARGET ...
    preset=$1
    shift
    printf '\n== %s: build ==\n' "$preset"
    cmake --preset "$preset" -DBUILD_TESTING=ON >"build/$preset.log" 2>&1 || {
        tail -n 40 "build/$preset.log"
        fail "$preset: configure"
        return 1
    }
    cmake --build --preset "$preset" --parallel "$jobs" --target "$@" >"build/$preset.log" 2>&1 || {
        tail -n 80 "build/$preset.log"
        fail "$preset: build"
        return 1
    }
}

built() { # PRESET: by --beside
    printf '\n== %s: build ==\n' "$1"
    [ "$(cat "build/$1.status" 2>/dev/null)" = 0 ] || {
        tail -n 80 "build/$1.log"
        fail "$1: build"
        return 1
    }
}

tidied() {
    printf '\n== clang-tidy ==\n'
    cat build/tidy.log
    case $(cat build/tidy.status 2>/dev/null) in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) fail 'tools/tidy' ;;
    esac
}

count() { # WORD REPORT: an attribute of the report's first element
    sed -n "/<testsuite /,/>/s/.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" "$2" | head -n 1
}

run() { # PRESET SECONDS [ctest's selection]
    preset=$1
    limit=$2
    shift 2
    report=$PWD/build/$preset/tests.xml
    list=build/$preset/Testing/Temporary/LastTestsFailed.log
    rm -f "$report" "$list"
    printf '\n== %s: test ==\n' "$preset"
    timeout -k 30 "$limit" ctest --test-dir "build/$preset" --output-on-failure --parallel "$jobs" \
        --timeout 300 --output-junit "$report" "$@"
    verdict=$?
    if [ ! -s "$report" ]; then
        fail "$preset: the tests ended without a report (limit ${limit} s, status $verdict)"
        return
    fi
    tests=$(count tests "$report")
    bad=$(count failures "$report")
    missed=$(($(count skipped "$report") + $(count disabled "$report")))
    passed=$((passed + tests - bad - missed))
    skipped=$((skipped + missed))
    if [ "$bad" -gt 0 ]; then
        failed=$((failed + bad))
        failures="$failures
$(sed "s/^[0-9]*:/  $preset: /" "$list" 2>/dev/null)"
    elif [ "$tests" -eq 0 ] || [ "$verdict" -ne 0 ]; then
        fail "$preset: $tests tests, status $verdict"
    fi
}

sh scripts/setup.sh || {
    fail 'setup'
    finish
}
mkdir -p build
# Setup has just installed Slurm: without it the tests on it fail, and do not skip.  Namespaces are
# a right that not every user has: .ci/run demands them.
export ORRERY_REQUIRE="slurm ${ORRERY_REQUIRE-}"

rm -f build/*.status
if build release all bench; then
    setsid sh scripts/test.sh --beside &
    beside=$!
    trap 'kill -s TERM -- "-$beside" 2>/dev/null; exit 130' INT TERM HUP
    run release 2400 -E '^tools/tidy$'
    wait "$beside"
    trap - INT TERM HUP
    tidied
else
    sh scripts/test.sh --beside
fi

if built asan; then
    export UBSAN_OPTIONS=print_stacktrace=1
    # Open MPI keeps what it allocates, so leaks are looked for where no MPI is.
    ASAN_OPTIONS=detect_leaks=1 run asan 600 -LE 'slow|oracle|mpi' -E '@|^jobs/|^comm/'
    ASAN_OPTIONS=detect_leaks=0 run asan 400 -LE 'slow|oracle' -R '@|^jobs/|^comm/'
fi

built tsan &&
    run tsan 120 -R '^(data/loader|core/log|core/progress|jobs/train/saver)$'

built no-mpi && run no-mpi 240 -L fast -LE 'slow|oracle'

finish
