"""README.md and docs/job-file.md quote what `orrery --help` and `orrery COMMAND --help` say: checks
that they do, and that every command is quoted (--write puts the words in; a new command gets its
place at the end of docs/job-file.md)."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ["README.md", "docs/job-file.md"]
BLOCK = re.compile(r"(<!-- orrery (?:([\w-]+) )?--help -->\n```\n).*?(```\n)", re.S)


def say(*words):
    return subprocess.run([os.environ["ORRERY"], *words], capture_output=True, text=True, check=True).stdout


def commands():
    return re.search(r"commands='([^']*)'", say("--completion", "bash"))[1].split()


def quoted(text):
    return [m[2] for m in BLOCK.finditer(text)]


def fill(text):
    return BLOCK.sub(lambda m: m[1] + say(*filter(None, [m[2]]), "--help") + m[3], text)


def append(text, names):
    """A place for each command that the page does not quote."""
    for name in names:
        if name not in quoted(text):
            text += f"\n## {name}\n\n<!-- orrery {name} --help -->\n```\n```\n"
    return text


def self_test():
    page = "<!-- orrery --help -->\n```\n```\n"
    assert "usage: orrery COMMAND" in fill(page)
    page = append(page, ["train"])
    assert quoted(page) == [None, "train"] and append(page, ["train"]) == page
    assert fill(fill(page)) == fill(page) and "train.lr" in fill(page)
    stale = fill(page).replace("required", "optional")
    assert fill(stale) == fill(page) != stale
    return 0


def main():
    if "--self-test" in sys.argv:
        return self_test()
    bad = 0
    for page in PAGES:
        path = os.path.join(ROOT, page)
        with open(path) as f:
            have = f.read()
        want = fill(append(have, commands()) if page == PAGES[1] else have)
        if not quoted(have):
            print(page, "quotes nothing")
            bad = 1
        if have != want and "--write" in sys.argv:
            with open(path, "w") as f:
                f.write(want)
        elif have != want:
            print(f"{page} is out of date: run ORRERY=build/release/src/jobs/orrery python3 tests/tools/check_docs.py --write")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
