"""docs/job-file.md quotes `orrery COMMAND --help`; this checks that it quotes what the program says (--write puts it in)."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "job-file.md")
BLOCK = re.compile(r"(<!-- orrery ([\w-]+) --help -->\n```\n).*?(```\n)", re.S)


def fill(text):
    def block(m):
        said = subprocess.run([os.environ["ORRERY"], m[2], "--help"], capture_output=True, text=True, check=True).stdout
        return m[1] + said + m[3]
    return BLOCK.sub(block, text)


def main():
    with open(PAGE) as f:
        have = f.read()
    want = fill(have)
    if not BLOCK.search(have):
        print(PAGE, "quotes nothing")
        return 1
    if "--write" in sys.argv:
        with open(PAGE, "w") as f:
            f.write(want)
        return 0
    if "--self-test" in sys.argv:
        return 0 if fill(have.replace("required", "optional")) == want != have.replace("required", "optional") else 1
    if have != want:
        print(f"{PAGE} is out of date: run ORRERY=build/release/src/jobs/orrery tests/tools/check_docs.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
