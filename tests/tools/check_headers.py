"""Every header under src compiles alone, and together with all that its folder may include, as C11
and as C++17: a name that means two things on neighbouring floors is found here.
usage: check_headers.py BUILD_DIR [--no-mpi] | --self-test
Include paths and definitions are those of the build, from its compile_commands.json."""
import concurrent.futures
import json
import os
import shlex
import subprocess
import tempfile

import arrows
import source_tree

LANGUAGES = [
    ("C11", os.environ.get("CC", "cc"), ["-x", "c", "-std=c11", "-Wstrict-prototypes"]),
    ("C++17", os.environ.get("CXX", "c++"), ["-x", "c++", "-std=c++17"]),
]


def flags_of(build):
    """-I, -isystem and -D of all that the build compiles under src."""
    flags = []
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        commands = json.load(f)
    for entry in commands:
        if not os.path.relpath(entry["file"], source_tree.root()).startswith("src/"):
            continue
        words = shlex.split(entry["command"])
        for i, word in enumerate(words):
            pair = [word, words[i + 1]] if word in ("-isystem", "-I", "-D") else [word]
            if word.startswith(("-I", "-D")) or word == "-isystem":
                if word.startswith("-I") and pair[-1].removeprefix("-I") == os.path.join(source_tree.root(), "src"):
                    continue
                if pair not in flags:
                    flags.append(pair)
    return [w for pair in flags for w in pair]


def compile_one(root, what, headers, language, flags):
    """None, or what the compiler says."""
    name, compiler, options = language
    command = [compiler, *options, "-fsyntax-only", "-Wall", "-Wextra", "-Wundef", "-Werror", "-Wno-unused-function",
               "-I", os.path.join(root, "src"), *flags, "-"]
    stub = "".join(f'#include "{os.path.relpath(h, "src")}"\n' for h in headers) + "int orr_not_empty;\n"
    done = subprocess.run(command, input=stub, capture_output=True, text=True)
    return None if done.returncode == 0 else f"{what}: as {name}:\n{done.stderr}"


def floors(table, headers):
    """(name, headers) of each folder: its own, and of those that it may include the ones that
    others see."""
    for folder, others in table.folders.items():
        own = [h for h in headers if table.folder(h[len("src/"):]) == folder]
        seen = [h for h in headers if table.folder(h[len("src/"):]) in others and not h.endswith("_private.h")]
        if own:
            yield f"headers of {folder} beside those of {', '.join(others)}", own + seen


def check(root, tasks, flags):
    tasks = [(root, what, headers, language, flags) for what, headers in tasks for language in LANGUAGES]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [p for p in pool.map(lambda t: compile_one(*t), tasks) if p]


def self_test():
    samples = {
        "good.h": ("#include <stddef.h>\n#ifdef __cplusplus\nextern \"C\" {\n#endif\nsize_t f(void);\n"
                   "#ifdef __cplusplus\n}\n#endif\n", 0),
        "needs_another.h": ("size_t f(void);\n", 2),
        "not_c.h": ("namespace a {}\n", 1),
        "not_cxx.h": ("int f(int class);\n", 1),
        "part.h": ("typedef struct part { int a; } part;\n", 0),
    }
    other = "#ifndef A\n#define A\ntypedef struct part { float b; } part;\n#endif\n"
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "src/x"))
        for name, (text, wrong) in samples.items():
            with open(os.path.join(root, "src/x", name), "w", encoding="utf-8") as f:
                f.write(text)
            found = check(root, [(name, ["src/x/" + name])], [])
            assert len(found) == wrong, (name, found)
        os.makedirs(os.path.join(root, "src/y"))
        with open(os.path.join(root, "src/y/a.h"), "w", encoding="utf-8") as f:
            f.write(other)
        table = arrows.Table("folder x ->\nfolder y -> x\n")
        tasks = list(floors(table, ["src/x/part.h", "src/y/a.h"]))
        assert [len(check(root, [task], [])) for task in tasks] == [0, 2], tasks


def main(args):
    headers = source_tree.paths("src", suffixes=(".h",))
    headers = [h for h in headers if not h.startswith("src/nn/cuda/")]
    if "--no-mpi" in args:
        headers = [h for h in headers if not h.startswith("src/comm/mpi/")]
    tasks = [(h, [h]) for h in headers] + list(floors(arrows.read(), headers))
    problems = check(source_tree.root(), tasks, flags_of(args[0]))
    return source_tree.finish("headers alone and beside their neighbours", problems, len(headers))


if __name__ == "__main__":
    source_tree.run(main, self_test)
