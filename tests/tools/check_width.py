"""Prose is read in windows of 100 columns: the pages of docs, and the comments of every source.
usage: check_width.py [--write | --self-test]

Not prose, and as wide as it is: tables, code and what the program says in Markdown, what a comment
indents, a word without a blank, code itself (clang-format keeps that of C).  --write breaks what is
too wide, but for the comments of C, which clang-format breaks."""
import io
import os
import re
import sys
import textwrap
import tokenize

import source_tree

WIDTH = 100
HASH = (".py", ".sh", ".cmake", ".yaml", ".sbatch", ".txt")
FOLDERS = ("src", "tests", "bench", "docs", "scripts", "slurm", "examples", "cmake", ".ci")
TOP = ("README.md", "CONTRIBUTING.md", "CMakeLists.txt")
# What a line must not begin with when a paragraph is broken: Markdown would take it for something
# else.
MARK = re.compile(r" (?=(?:[-+*>|]|#+|\d+[.)]) )")
GLUE = "\x01"


def too_wide(line):
    text = line.strip()
    return len(line) > WIDTH and " " in text.lstrip("#*/-\"' ")


# ---- Markdown ----
def blocks(text):
    """Runs of lines: (is it prose, lines)."""
    fence, found = False, []
    for line in text.split("\n"):
        was = fence
        if line.lstrip().startswith("```"):
            fence = not fence
        prose = not (was or fence or not line.strip() or line.lstrip().startswith(("|", "#", "<", "```", "![")))
        starts = not found or not prose or not found[-1][0] or re.match(r"\s*([-*+]|\d+\.) ", line)
        if starts:
            found.append((prose, [line]))
        else:
            found[-1][1].append(line)
    return found


def wrap_paragraph(lines):
    first = re.match(r"\s*(?:(?:[-*+]|\d+\.) +)?", lines[0])[0]
    words = MARK.sub(GLUE, " ".join([lines[0][len(first):], *[line.strip() for line in lines[1:]]]))
    broken = textwrap.wrap(words, WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_long_words=False,
                           break_on_hyphens=False)
    return [line.replace(GLUE, " ") for line in broken]


def markdown(text):
    """(text with its paragraphs broken, numbers of the lines that are too wide)"""
    out, wide, at = [], [], 1
    for prose, lines in blocks(text):
        bad = [at + i for i, line in enumerate(lines) if prose and too_wide(line)]
        out += wrap_paragraph(lines) if bad else lines
        wide += bad
        at += len(lines)
    return "\n".join(out), wide


# ---- comments that begin with #, and Python's strings that are no values ----
def doc_lines(text):
    """{line number: 1 the first, 2 a further one} of strings that stand alone."""
    found, before, depth = {}, None, 0
    for t in tokenize.generate_tokens(io.StringIO(text).readline):
        if t.type == tokenize.OP:
            depth += (t.string in "([{") - (t.string in ")]}")
        if t.type == tokenize.STRING and depth == 0 and before in (None, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.NL):
            found.update({n: 1 if n == t.start[0] else 2 for n in range(t.start[0], t.end[0] + 1)})
        if t.type not in (tokenize.COMMENT, tokenize.ENCODING):
            before = t.type
    return found


def trailing(path, line):
    """Where a comment behind code begins; 0: there is none, or who knows."""
    if path.endswith(".py"):
        try:
            return next((t.start[1] for t in tokenize.generate_tokens(io.StringIO(line + "\n").readline) if t.type == tokenize.COMMENT), 0)
        except (tokenize.TokenError, IndentationError):
            return line.find("  # ") + 2 if line.count("  # ") == 1 else 0
    return line.find("  # ") + 2 if line.count("  # ") == 1 else 0


def split(line, prefix, follows):
    """Two lines of one that is too wide; what is over goes before the next one's words where that
    is the same paragraph."""
    at = line.rfind(" ", len(prefix) + 1, WIDTH + 1)
    if at < 0:
        at = line.find(" ", len(prefix) + 1)
    rest = line[at + 1:]
    joins = follows is not None and follows.startswith(prefix) and re.match(r"[^\s\-#\"'=!@]", follows[len(prefix):])
    return line[:at].rstrip(), prefix + rest + (" " + follows[len(prefix):] if joins else ""), bool(joins)


def hashed(path, text):
    """(text with its comments broken, numbers of the lines that are too wide)"""
    doc = doc_lines(text) if path.endswith(".py") else {}
    todo = [(line, doc.get(i + 1, 0), i + 1) for i, line in enumerate(text.split("\n"))]
    out, wide = [], []
    while todo:
        line, kind, number = todo.pop(0)
        comment = re.match(r"\s*#(?!!|  )", line) is not None
        if (comment or kind) and too_wide(line):
            indent = re.match(r"\s*(?:# ?)?" if comment and not kind else r"\s*", line)[0]
            follows = todo[0][0] if todo and (comment or todo[0][1]) else None
            head, rest, joined = split(line, indent, follows)
            out.append(head)
            todo[0:1 if joined else 0] = [(rest, 2 if kind else 0, number)]
            wide.append(number)
        elif len(line) > WIDTH and not comment and not kind and trailing(path, line) and not (out and out[-1].endswith("\\")):
            at = trailing(path, line)
            wide.append(number)
            todo.insert(0, (line[:at].rstrip(), 0, number))
            todo.insert(0, (re.match(r"\s*", line)[0] + line[at:], 0, number))
        else:
            out.append(line)
    return "\n".join(out), sorted(set(wide))


def c_comments(text):
    wide, lines = [], text.split("\n")
    for m in source_tree.TOKEN.finditer(text):
        if m[0].startswith(("/*", "//")):
            first = text.count("\n", 0, m.start())
            wide += [n + 1 for n in range(first, first + m[0].count("\n") + 1) if too_wide(lines[n])]
    return text, wide


def check(path, text):
    if path.endswith(".md"):
        return markdown(text)
    return c_comments(text) if path.endswith(source_tree.SUFFIXES) else hashed(path, text)


def self_test():
    long = "word " * 25
    for path, bad, good in (
            ("a.md", f"{long}\nend\n", f"| {long} |\n```\n{long}\n```\n# {long}\n" + "x" * 120 + "\n"),
            ("a.md", f"- {long}\n", "- short\n"),
            ("a.c", f"/* {long}*/\n", f'const char *s = "{long}";\n'),
            ("a.py", f'"""{long}"""\n', f'x = "{long}"\n'),
            ("a.py", f"# {long}\n", f'f("{long}",\n  1)\n'),
            ("a.py", f"x = 1{' ' * 60}  # {'word ' * 10}\n", "x = 1  # one\n"),
            ("a.sh", f"# {long}\n", f"#!{long}\necho {long}\n#   orrery {long}\n")):
        assert check(path, bad)[1], bad
        assert check(path, good) == (good, []), good
        if not path.endswith(".c"):
            mended = check(path, bad)[0]
            assert check(path, mended) == (mended, []), mended
            assert sorted(bad.replace("#", " ").split()) == sorted(mended.replace("#", " ").split()), mended
    assert check("a.md", f"{'word ' * 19}so - and {long}\n")[0].count("\n- ") == 0


def sources():
    names = (".md", *source_tree.SUFFIXES, *HASH)
    files = [*source_tree.paths(*FOLDERS, suffixes=names), *TOP]
    return [f for f in files if not f.endswith(".txt") or os.path.basename(f) in ("CMakeLists.txt", "arrows.txt")]


def main(words):
    problems = []
    for path in sources():
        text = source_tree.read(path)
        mended, wide = check(path, text)
        if wide and "--write" in words and mended != text:
            with open(os.path.join(source_tree.root(), path), "w", encoding="utf-8") as f:
                f.write(mended)
            wide = check(path, mended)[1]
        problems += [f"{path}:{n}: prose of more than {WIDTH} columns" for n in wide]
    return source_tree.finish("width", problems, len(sources()))


if __name__ == "__main__":
    source_tree.run(main, self_test)
