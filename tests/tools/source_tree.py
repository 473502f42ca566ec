"""What the checks of tests/tools share: the sources, and C text without its comments and
strings."""
import os
import re
import sys

SUFFIXES = (".c", ".h", ".cc", ".cu", ".cuh")
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def root():
    return os.environ.get("ORRERY_SOURCE_DIR") or os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))


def paths(*folders, suffixes=SUFFIXES):
    """Paths of all sources, relative to the root, in order."""
    found = []
    for folder in folders:
        for at, _, names in os.walk(os.path.join(root(), folder)):
            found += [os.path.relpath(os.path.join(at, n), root()) for n in names if n.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(os.path.join(root(), path), encoding="utf-8") as f:
        return f.read()


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return TOKEN.sub(lambda m: _blank(m[0]) if m[0].startswith(("/*", "//")) else m[0], text)


def without_words(text):
    """Code alone: comments and the inside of strings are blank; lines keep their numbers."""
    return TOKEN.sub(lambda m: _blank(m[0]), text)


def finish(what, problems, checked):
    for p in problems:
        print(p)
    print(f"{what}: {len(problems)} problems in {checked} files")
    if not checked:
        print("nothing was checked: where are the sources?")
    return 1 if problems or not checked else 0


def run(main, self_test):
    if sys.argv[1:2] == ["--self-test"]:
        self_test()
        print("self-test passed")
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
