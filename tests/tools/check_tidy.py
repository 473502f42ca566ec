"""clang-tidy finds nothing in src, by the checks of .clang-tidy.
usage: check_tidy.py BUILD_DIR [PATH_PART ...] | --self-test; exit 77 where clang-tidy is not installed."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

import source_tree

JOBS = 2


def tidy(build, path):
    """None, or what is wrong with a file."""
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, path], capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stdout.strip() or done.stderr.strip())


def check(build, files):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return [p for p in pool.map(lambda path: tidy(build, path), files) if p]


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
        found = check(folder, [c["file"] for c in commands])
        assert len(found) == 1 and "bad.c:6" in found[0] and "NullDereference" in found[0], found


def main(args):
    with open(os.path.join(args[0], "compile_commands.json"), encoding="utf-8") as f:
        commands = json.load(f)
    files = {os.path.relpath(c["file"], source_tree.root()) for c in commands}
    files = sorted(p for p in files if p.startswith("src/") and p.endswith((".c", ".cc")))
    if args[1:]:
        files = [p for p in files if any(part in p for part in args[1:])]
    problems = check(args[0], [os.path.join(source_tree.root(), p) for p in files])
    return source_tree.finish("clang-tidy", problems, len(files))


if __name__ == "__main__":
    if not shutil.which("clang-tidy"):
        print("clang-tidy is not installed")
        sys.exit(77)
    source_tree.run(main, self_test)
