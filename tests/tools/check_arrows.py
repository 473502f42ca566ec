"""Every #include of src goes along an arrow of src/arrows.txt, and each of its lines is needed.
usage: check_arrows.py [--list | --self-test]

Found are: an include that no arrow allows; a library's header or words outside its files; a
library's types in a header that other folders see, unless the table shows it; a private header
included from elsewhere, and one that is private and is not called so; circles of files that reach
over two folders; and lines of the table that name what is not there or allow what nobody does.
--list prints the libraries with their lines and arrows, and the circles within each."""
import os
import re
import sys

import arrows
import source_tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
PRIVATE = "_private.h"


class Tree:
    """Sources by path below src: what they include, and their code without comments and strings."""

    def __init__(self, files):
        self.quoted, self.angled, self.code = {}, {}, {}
        for path, text in files.items():
            bare = source_tree.without_comments(text)
            found = [(m[1], m[2], bare.count("\n", 0, m.start()) + 1) for m in INCLUDE.finditer(bare)]
            self.quoted[path] = [(name, line) for mark, name, line in found if mark == '"']
            self.angled[path] = [(name, line) for mark, name, line in found if mark == "<"]
            self.code[path] = source_tree.without_words(text)
        self.users = {path: [] for path in files}
        for path in files:
            for name, _ in self.quoted[path]:
                self.users.setdefault(name, []).append(path)


class Check:
    def __init__(self, table, tree):
        self.table, self.tree = table, tree
        self.problems, self.used = list(table.problems), set()

    def say(self, path, line, what):
        self.problems.append(f"src/{path}:{line}: {what}" if line else f"src/{path}: {what}")

    def inside(self, path, files, row):
        """Whether one of the patterns holds the path; all that do are needed."""
        hits = [p for p in files if arrows.matches(p, path)]
        self.used.update((*row, p) for p in hits)
        return bool(hits)

    def visible(self, header):
        """Whether files of another library include it, or a header that is visible does."""
        home, seen, todo = self.table.folder(header), set(), [header]
        while todo:
            for user in self.tree.users.get(todo.pop(), []):
                if self.table.folder(user) != home:
                    return True
                if user.endswith(".h") and user not in seen:
                    seen.add(user)
                    todo.append(user)
        return False

    # what a file includes
    def ours(self, path, name, line):
        mine, other = self.table.folder(path), self.table.folder(name)
        if other is None or name not in self.tree.code:
            self.say(path, line, f'"{name}": no such file below src; write "core/status.h"')
            return
        if mine != other and other not in self.table.folders.get(mine, []):
            self.say(path, line, f'"{name}": {mine} must not include {other}')
        self.used.add((mine, other))
        for corner, keys in self.table.corners.items():
            if arrows.matches(corner, name):
                self.used.add(corner)
                if not self.inside(path, keys.get("files", []), (corner, "files")):
                    self.say(path, line, f'"{name}": only in {" ".join(keys.get("files", []))}')
        if name.endswith(PRIVATE) and not path.startswith(os.path.dirname(name) + "/"):
            self.say(path, line, f'"{name}" is private to its folder')

    def theirs(self, path, name, line):
        for library, keys in self.table.libraries.items():
            if any(arrows.matches(h, name) for h in keys.get("headers", [])):
                self.corner(path, f"<{name}>", line, library, keys)
                return
        if not self.inside(name, self.table.system, ("system",)):
            self.say(path, line, f"<{name}>: no line of {arrows.TABLE} names it")

    def corner(self, path, what, line, library, keys):
        if not self.inside(path, keys.get("files", []), (library, "files")):
            allowed = " ".join(keys.get("files", [])) or "no file"
            self.say(path, line, f"{what}: {library} is used in {allowed} alone")

    def words(self, path):
        for library, keys in self.table.libraries.items():
            for word in keys.get("words", []):
                found = re.search(rf"(?<!\w){word}(?!\w)", self.tree.code[path])
                if found:
                    line = self.tree.code[path].count("\n", 0, found.start()) + 1
                    self.corner(path, found[0], line, library, keys)
                    break

    # what a header shows
    def uses(self, path, keys):
        named = any(arrows.matches(h, name) for name, _ in self.tree.angled[path] for h in keys.get("headers", []))
        return named or any(re.search(rf"(?<!\w){w}(?!\w)", self.tree.code[path]) for w in keys.get("words", []))

    def shown(self):
        for library, keys in self.table.libraries.items():
            for header in (p for p in self.tree.code if p.endswith(".h") and self.uses(p, keys)):
                allowed = self.inside(header, keys.get("shown", []), (library, "shown"))
                if self.visible(header) and not allowed:
                    self.say(header, 0, f"shows {library} to other folders")
                if not self.visible(header) and allowed:
                    self.say(header, 0, f"is not shown to others: take it from {library}'s line")

    def names(self):
        """A private header is called so."""
        for header in (p for p in self.tree.code if p.endswith(".h") and not p.endswith(PRIVATE)):
            own = any(header[:-2] + s in self.tree.code for s in (".c", ".cc", ".cu"))
            private = not own and self.tree.users[header] and not self.visible(header)
            if private:
                self.say(header, 0, f"has no source file and is seen in its folder alone: call it {header[:-2]}{PRIVATE}")

    # what a table says
    def needed(self):
        for folder, others in self.table.folders.items():
            if not any(self.table.folder(p) == folder for p in self.tree.code):
                self.problems.append(f"{arrows.TABLE}: folder {folder} has no files")
            for other in others:
                if (folder, other) not in self.used:
                    self.problems.append(f"{arrows.TABLE}: folder {folder} -> {other}: nobody includes it")
        rows = [(("system",), self.table.system)]
        for name, keys in [*self.table.libraries.items(), *self.table.corners.items()]:
            rows += [((name, key), keys.get(key, [])) for key in ("files", "shown")]
        for row, patterns in rows:
            for p in patterns:
                if (*row, p) not in self.used:
                    self.problems.append(f"{arrows.TABLE}: {' '.join(row)}: {p}: no such file, or it does not use it")

    def circles(self):
        for circle in circles(self.tree):
            folders = {os.path.dirname(p) for p in circle}
            if len(folders) > 1:
                self.problems.append("a circle of files in different folders: " + " ".join(circle))

    def run(self):
        for path in sorted(self.tree.code):
            if self.table.folder(path) is None:
                self.say(path, 0, f"lies in no folder of {arrows.TABLE}")
                continue
            for name, line in self.tree.quoted[path]:
                self.ours(path, name, line)
            for name, line in self.tree.angled[path]:
                self.theirs(path, name, line)
            self.words(path)
        self.shown()
        self.names()
        self.circles()
        self.needed()
        return self.problems


def module(path):
    """A header and the source file of its name are one thing."""
    return os.path.splitext(path)[0].removesuffix("_private")


def circles(tree):
    """Groups of modules that reach one another by includes, whoever of the two files has them:
    calls go along headers."""
    after = {}
    for path, names in tree.quoted.items():
        others = after.setdefault(module(path), set())
        others.update(module(name) for name, _ in names if module(name) != module(path))
    index, low, stack, found = {}, {}, [], []

    def visit(at):  # Tarjan
        index[at] = low[at] = len(index)
        stack.append(at)
        for to in sorted(after.get(at, ())):
            if to not in index:
                visit(to)
                low[at] = min(low[at], low[to])
            elif to in stack:
                low[at] = min(low[at], index[to])
        if low[at] == index[at]:
            group = stack[stack.index(at):]
            del stack[stack.index(at):]
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10000)
    for at in sorted(after):
        if at not in index:
            visit(at)
    return sorted(found)


def tree():
    return Tree({p[len("src/"):]: source_tree.read(p) for p in source_tree.paths("src")})


def show(table, files):
    for folder, others in table.folders.items():
        mine = [p for p in files.code if table.folder(p) == folder]
        lines = sum(source_tree.read("src/" + p).count("\n") for p in mine)
        print(f"{folder:15} {len(mine):4} files {lines:6} lines -> {' '.join(others)}")
    found = circles(files)
    print(f"{len(found)} circles, each within one folder" if found else "no circles")
    for circle in found:
        print("  " + " ".join(circle))


def self_test():
    text = "\n".join((
        "folder core ->", "folder nn -> core", "folder data -> core", "folder jobs/a -> nn core", "folder jobs/b -> jobs/a",
        "library mpi", "  headers mpi.h", "  words MPI_\\w+", "  files nn/mpi/*", "  shown nn/mpi/world.h",
        "corner nn/mpi/*.h", "  files nn/mpi/* jobs/a/a.c", "system stdio.h sys/*.h"))
    good = {
        "core/status.h": "#include <stdio.h>", "core/status.c": '#include "core/status.h"\n#include <sys/x.h>',
        "nn/net.h": '#include "core/status.h"', "nn/net.c": '#include "nn/net.h"\n#include "nn/net_private.h"',
        "nn/net_private.h": "", "nn/plan.c": '#include "nn/net_private.h"', "data/set.c": '#include "core/status.h"',
        "nn/mpi/world.h": "#include <mpi.h>", "nn/mpi/world.c": '#include "nn/net_private.h"\n#include "nn/mpi/world.h"\nint x = MPI_A;',
        "jobs/a/a.h": "", "jobs/a/a.c": '#include "jobs/a/a.h"\n#include "nn/mpi/world.h"\n#include "core/status.h"',
        "jobs/b/b.c": '#include "jobs/a/a.h"\n/* #include "nn/net.h" MPI_A */\nconst char *s = "MPI_A";',
    }

    def found(files, table=None):
        return Check(arrows.Table(table or text), Tree(files)).run()

    assert found(good) == [], found(good)
    bad = [  # files, how many problems, words of the first
        ({"core/a.c": '#include "nn/net.h"'}, 1, "core must not include nn"),
        ({"core/a.c": '\n\n#include "nn/net.h"'}, 1, "src/core/a.c:3:"),
        ({"nn/a.h": ' #  include "data/set.h"', "data/set.h": ""}, 1, "nn must not include data"),
        ({"jobs/a/b.c": '#include "jobs/b/b.h"', "jobs/b/b.h": ""}, 1, "jobs/a must not include jobs/b"),
        ({"jobs/b/c.c": '#include "core/status.h"'}, 1, "jobs/b must not include core"),
        ({"nn/a.c": '#include "net.h"'}, 1, "no such file"),
        ({"nn/a.c": '#include "../core/status.h"'}, 1, "no such file"),
        ({"nn/a.c": '#include "nn/none.h"'}, 1, "no such file"),
        ({"other/a.c": ""}, 1, "lies in no folder"),
        ({"nn/a.c": "#include <mpi.h>"}, 1, "mpi is used in"),
        ({"nn/a.c": "int f(void)\n{\n    return MPI_Init(0);\n}"}, 1, "src/nn/a.c:3: MPI_Init"),
        ({"nn/a.c": "#include <hdf5.h>"}, 1, "no line"),
        ({"nn/a.c": '#include "nn/mpi/world.h"'}, 1, "only in nn/mpi/* jobs/a/a.c"),
        ({"nn/mpi/show.h": "MPI_Comm f(void);", "nn/mpi/show.c": "", "jobs/a/a.c": good["jobs/a/a.c"] + '\n#include "nn/mpi/show.h"'},
         1, "shows mpi"),
        ({"nn/mpi/show.h": "MPI_Comm f(void);", "nn/mpi/show.c": '#include "nn/mpi/show.h"', "nn/mpi/more.c": '#include "nn/mpi/show.h"'},
         0, ""),
        ({"jobs/a/a.c": good["jobs/a/a.c"] + '\n#include "nn/net_private.h"'}, 1, "is private"),
        ({"nn/sub/a.c": '#include "nn/net_private.h"', "nn/sub/a_private.h": "", "nn/b.c": '#include "nn/sub/a_private.h"'}, 1,
         "is private"),
        ({"nn/part.h": "", "nn/b.c": '#include "nn/part.h"'}, 1, "call it nn/part_private.h"),
        ({"nn/part.h": "", "nn/net.h": good["nn/net.h"] + '\n#include "nn/part.h"',
          "jobs/a/a.c": good["jobs/a/a.c"] + '\n#include "nn/net.h"'}, 0, ""),
        ({"nn/x/a.h": "", "nn/x/a.c": '#include "nn/x/a.h"\n#include "nn/b.h"', "nn/b.h": "", "nn/b.c": '#include "nn/x/a.h"'}, 1,
         "a circle of files in different folders: nn/b nn/x/a"),
        ({"nn/x/a.h": "", "nn/x/a.c": '#include "nn/x/a.h"\n#include "nn/x/b.h"', "nn/x/b.h": "", "nn/x/b.c": '#include "nn/x/a.h"'}, 0, ""),
    ]
    for files, n, words in bad:
        problems = found({**good, **files})
        assert len(problems) == n and (not n or words in problems[0]), (files, problems)
    for line, words in (("folder data -> nn", "nobody includes it"), ("folder gone ->", "has no files"), ("system z.h", "z.h: no such"),
                        ("library z\n  files nn/net.c", "nn/net.c: no such"), ("library mpi\n  files nn/net.c", "nn/net.c: no such"),
                        ("library mpi\n  shown nn/net.h", "nn/net.h: no such"), ("corner nn/mpi/*.h\n  files nn/z.c", "nn/z.c: no such"),
                        ("rule x", "rule x?"), ("library\n  files a", "library?"), ("library mpi\n  fields x", "fields?")):
        problems = found(good, text + "\n" + line)
        assert any(words in p for p in problems), (line, problems)
    hidden = {p: t for p, t in good.items() if not p.startswith("jobs/")}
    assert any("is not shown to others" in p for p in found(hidden)), found(hidden)


def main(args):
    table, files = arrows.read(), tree()
    if "--list" in args:
        show(table, files)
        return 0
    return source_tree.finish("include arrows", Check(table, files).run(), len(files.code))


if __name__ == "__main__":
    source_tree.run(main, self_test)
