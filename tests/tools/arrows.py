"""src/arrows.txt, read: who may include whom.  What the file says of itself stands at its head."""
import re

import source_tree

TABLE = "src/arrows.txt"
SUFFIXES = source_tree.SUFFIXES
LISTS = ("target", "headers", "words", "files", "shown")


class Table:
    """folders: name -> [names], libraries and corners: name -> {key: [words]}, system:
    [patterns]."""

    def __init__(self, text):
        self.folders, self.libraries, self.corners = {}, {}, {}
        self.system = []
        self.problems = []
        block = None
        for number, line in enumerate(text.split("\n"), 1):
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            if line[0] in " \t":
                if block is None or words[0] not in LISTS:
                    self.problems.append(f"{TABLE}:{number}: {words[0]}?")
                else:
                    block.setdefault(words[0], []).extend(words[1:])
                continue
            block = self._row(words)
            if block is False:
                self.problems.append(f"{TABLE}:{number}: {line}?")
                block = None

    def _row(self, words):
        if words[0] == "folder" and words[2:3] == ["->"]:
            self.folders.setdefault(words[1], []).extend(words[3:])
            return None
        if words[0] == "system":
            self.system.extend(words[1:])
            return None
        rows = {"library": self.libraries, "corner": self.corners}.get(words[0])
        return False if rows is None or len(words) != 2 else rows.setdefault(words[1], {})

    def folder(self, path):
        """The library whose file this is, or None."""
        parts = path.split("/")
        rows = ("/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
        return next((row for row in rows if row in self.folders), None)


def matches(pattern, path):
    """* stands for anything but a slash, ? for one such character."""
    words = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.fullmatch(words, path) is not None


def read():
    return Table(source_tree.read(TABLE))
