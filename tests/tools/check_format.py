"""clang-format has nothing to change.  usage: check_format.py [--self-test]; exit 77 where
clang-format is not installed."""
import os
import shutil
import subprocess
import sys
import tempfile

import source_tree


def misformatted(root, paths):
    command = ["clang-format", "--dry-run", "-Werror", "--style=file", *paths]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    named = {line.split(":")[0] for line in done.stderr.split("\n") if "-Wclang-format-violations" in line}
    if done.returncode != 0 and not named:
        return [done.stderr]
    return [f"{path}: run clang-format -i on it" for path in paths if path in named]


def self_test():
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(os.path.join(source_tree.root(), ".clang-format"), root)
        for name, text in (("good.c", "int f(void)\n{\n    return 1;\n}\n"), ("bad.c", "int f( void ) {return 1;}\n")):
            with open(os.path.join(root, name), "w", encoding="utf-8") as f:
                f.write(text)
        assert misformatted(root, ["good.c"]) == []
        assert misformatted(root, ["good.c", "bad.c"]) == ["bad.c: run clang-format -i on it"]


def main(_):
    files = source_tree.paths("src", "tests", "bench", suffixes=(".c", ".h", ".cc"))
    return source_tree.finish("format", misformatted(source_tree.root(), files), len(files))


if __name__ == "__main__":
    if not shutil.which("clang-format"):
        print("clang-format is not installed")
        sys.exit(77)
    source_tree.run(main, self_test)
