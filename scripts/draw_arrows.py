#!/usr/bin/env python3
"""Draws docs/arrows.svg from src/arrows.txt, with Graphviz (apt-get install graphviz): every
library of the program and what it may include, less the arrows that follow from others.
usage: scripts/draw_arrows.py [OUT.svg]"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import arrows  # noqa: E402


def graph(table):
    yield 'digraph { rankdir=TB; nodesep=0.25; ranksep=0.4; node [shape=box style="rounded,filled" fillcolor="#f4f6fa"'
    yield ' color="#5b6b8c" fontname="Helvetica" fontsize=12 margin="0.14,0.06"]; edge [color="#5b6b8c" arrowsize=0.6];'
    for folder, others in table.folders.items():
        yield "".join(f'"{folder}" -> "{other}";' for other in others)
    yield "}"


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "docs", "arrows.svg")
    dot = subprocess.run(["tred"], input="\n".join(graph(arrows.read())), capture_output=True, text=True, check=True).stdout
    svg = subprocess.run(["dot", "-Tsvg"], input=dot, capture_output=True, text=True, check=True).stdout
    with open(out, "w", encoding="utf-8") as f:
        f.write(svg)


if __name__ == "__main__":
    main()
