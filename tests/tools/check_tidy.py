"""clang-tidy finds nothing in src, by the checks of .clang-tidy.
usage: check_tidy.py BUILD_DIR [PATH_PART ...] | --self-test; exit 77 where clang-tidy is not
installed.

A file in which nothing was found is not looked at again while it, every header it includes, its
compile command, the checks and clang-tidy are the same, byte for byte: a note under that sum lies
in ORRERY_TIDY_CACHE (unset: ~/.cache/orrery-tidy; empty: no notes).  Findings are never noted."""
import concurrent.futures
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

import source_tree

JOBS = 2


def cache_folder():
    default = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "orrery-tidy")
    folder = os.environ.get("ORRERY_TIDY_CACHE", default)
    if not folder:
        return None
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return None
    return folder


def content(path):
    with open(path, "rb") as f:
        return f.read()


def key(command, tool):
    """A sum over all that clang-tidy sees of a file; None where the compiler cannot list it."""
    words = command.get("arguments") or shlex.split(command["command"])
    while "-o" in words:
        at = words.index("-o")
        words = words[:at] + words[at + 2:]
    done = subprocess.run([w for w in words if w != "-c"] + ["-M", "-MT", "x"], cwd=command["directory"], capture_output=True, text=True)
    if done.returncode != 0:
        return None
    read = done.stdout.split(":", 1)[1].replace("\\\n", " ").split()
    seen = hashlib.sha256(tool)
    for text in [repr(words).encode()] + [part for name in read for part in (name.encode(), content(os.path.join(command["directory"], name)))]:
        seen.update(b"%d " % len(text) + text)
    return seen.hexdigest()


def tidy(build, path, command, tool, folder):
    """None, or what is wrong with a file."""
    try:
        note = folder and key(command, tool)
    except OSError:
        note = None
    if note and os.path.exists(os.path.join(folder, note)):
        return None
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, path], capture_output=True, text=True)
    if done.returncode != 0:
        return done.stdout.strip() or done.stderr.strip() or f"{path}: clang-tidy ended with {done.returncode}, and said nothing"
    if note and key(command, tool) == note:  # nobody has edited it meanwhile
        with open(os.path.join(folder, note), "w", encoding="utf-8"):
            pass
    return None


def check(build, commands, folder):
    """Of the files of compile commands; the largest first, so that none is left at the end."""
    tool = b""
    if folder:
        version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
        tool = version + content(os.path.join(source_tree.root(), ".clang-tidy")) + content(shutil.which("clang-tidy"))
    jobs = [(os.path.join(c["directory"], c["file"]), c) for c in commands]
    jobs.sort(key=lambda job: -os.path.getsize(job[0]))
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return [p for p in pool.map(lambda job: tidy(build, *job, tool, folder), jobs) if p]


def self_test():
    samples = {
        "good.c": "int f(int a)\n{\n    return a + 1;\n}\n",
        "bad.c": "int f(int a);\nint f(int a)\n{\n    int *p = 0;\n    if (a) p = &a;\n    return *p;\n}\n",
    }
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(os.path.join(source_tree.root(), ".clang-tidy"), folder)
        commands = []
        for name, text in samples.items():
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            commands.append({"directory": folder, "file": path, "command": f"cc -c {path}"})
        with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as f:
            json.dump(commands, f)
        cache = os.path.join(folder, "cache")
        os.mkdir(cache)
        for _ in range(2):  # the second time, good.c is known, and what is wrong is found again
            found = check(folder, commands, cache)
            assert len(found) == 1 and "bad.c:6" in found[0] and "NullDereference" in found[0], found
            assert len(os.listdir(cache)) == 1, os.listdir(cache)
        with open(os.path.join(folder, "good.c"), "w", encoding="utf-8") as f:
            f.write('#include "good.h"\nint f(int a);\nint f(int a)\n{\n    int *p = PLACE;\n    return *p;\n}\n')
        for place, n in (("&a", 1), ("0", 2), ("&a", 1)):  # what a header says
            with open(os.path.join(folder, "good.h"), "w", encoding="utf-8") as f:
                f.write(f"#define PLACE {place}\n")
            found = check(folder, commands, cache)
            assert len(found) == n, (place, found)


def main(args):
    with open(os.path.join(args[0], "compile_commands.json"), encoding="utf-8") as f:
        commands = json.load(f)
    commands = {os.path.relpath(os.path.join(c["directory"], c["file"]), source_tree.root()): c for c in commands}
    files = sorted(p for p in commands if p.startswith("src/") and p.endswith((".c", ".cc")))
    if args[1:]:
        files = [p for p in files if any(part in p for part in args[1:])]
    problems = check(args[0], [commands[p] for p in files], cache_folder())
    return source_tree.finish("clang-tidy", problems, len(files))


if __name__ == "__main__":
    if not shutil.which("clang-tidy"):
        print("clang-tidy is not installed")
        sys.exit(77)
    source_tree.run(main, self_test)
