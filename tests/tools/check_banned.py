"""Functions that the house style bans, and where.  usage: check_banned.py [--self-test]
Memory that a library hands over is freed as it says; such a line carries the comment "library
memory: whose"."""
import re

import source_tree

ANYWHERE = "strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof"
MEMORY = "malloc calloc realloc free aligned_alloc posix_memalign reallocarray strdup strndup asprintf vasprintf"
LEAVING = "exit _exit _Exit quick_exit abort"
PRINTING = "printf vprintf puts putchar"
EXEMPT = re.compile(r"/\* library memory: \S.*\*/")


def calls(names):
    # Not orr_free(, nor table->free( or table.free(.
    return re.compile(r"(?<![\w.>])(" + "|".join(names.split()) + r")\s*\(")


RULES = [  # what, pattern, folders, files where it is right
    ("banned function", calls(ANYWHERE), ("src", "bench", "tests"), ()),
    ("raw memory", calls(MEMORY), ("src",), ("src/core/memory.c",)),
    ("leaving the process outside jobs", calls(LEAVING), ("src",), ("src/jobs/", "src/core/guard.c")),
    ("printing outside jobs", calls(PRINTING), ("src",), ("src/jobs/",)),
    ("printing outside jobs", re.compile(r"\b(stdout)\b"), ("src",), ("src/jobs/",)),
    ("assert", calls("assert"), ("src",), ()),
    ("assert", re.compile(r"^\s*#\s*include\s*<(assert\.h|cassert)>"), ("src",), ()),
]


def check(path, text):
    """(problems, exemptions)"""
    problems, exempt = [], 0
    lines = text.split("\n")
    for number, line in enumerate(source_tree.without_words(text).split("\n"), 1):
        for what, pattern, folders, fine in RULES:
            found = pattern.search(line)
            if not found or not path.startswith(tuple(f + "/" for f in folders)) or (fine and path.startswith(fine)):
                continue
            if what == "raw memory" and EXEMPT.search(lines[number - 1]):
                exempt += 1
                continue
            problems.append(f"{path}:{number}: {what}: {found[1]}")
    return problems, exempt


def self_test():
    for name in ANYWHERE.split():
        for path in ("src/jobs/a.c", "tests/nn/a.c", "bench/a.c"):
            assert len(check(path, f"x = {name}(a);")[0]) == 1, (path, name)
    for name in MEMORY.split():
        assert check("src/nn/a.c", f"p = {name} (a);")[0] == [f"src/nn/a.c:1: raw memory: {name}"], name
        assert check("src/core/memory.c", f"p = {name}(a);") == ([], 0), name
        assert check("tests/core/a.c", f"p = {name}(a);") == ([], 0), name
    for name in LEAVING.split() + PRINTING.split():
        assert len(check("src/data/a.c", f"{name}(1);")[0]) == 1, name
        assert not check("src/jobs/a.c", f"{name}(1);")[0], name
    assert len(check("src/core/a.c", 'fprintf(stdout, "x");')[0]) == 1
    assert len(check("src/core/a.cc", "std::abort();")[0]) == 1
    assert len(check("src/jobs/a.c", "\nassert(x);")[0]) == 1
    assert len(check("src/jobs/a.c", "#include <assert.h>")[0]) == 1
    assert check("src/data/a.c", "free(t); /* library memory: cJSON_Print */") == ([], 1)
    assert len(check("src/data/a.c", "free(t); /* library memory: */")[0]) == 1
    assert len(check("src/data/a.c", "/* library memory: cJSON */\nfree(t);")[0]) == 1
    for text in (
        "orr_free(p); orr_strdup(s); snprintf(b, n, f); ops->free(x); ops.free(x); my_exit(1);",
        "/* malloc(3) and\n exit(1) */ // printf(x)\n",
        'const char *s = "exit(1) \\" abort()";',
        "static_assert(1, s); _Static_assert(1, s); assert_int(3); strtok_r(a, b, c); fprintf(f, s);",
    ):
        assert check("src/nn/a.c", text) == ([], 0), text


def main(_):
    files = source_tree.paths("src", "bench", "tests")
    problems, exempt = [], 0
    for path in files:
        found, n = check(path, source_tree.read(path))
        problems += found
        exempt += n
    print(f"{exempt} lines free library memory")
    return source_tree.finish("banned functions", problems, len(files))


if __name__ == "__main__":
    source_tree.run(main, self_test)
