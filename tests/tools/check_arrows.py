"""Who may include whom: jobs -> {data, nn, comm, stats} -> core, and each library's headers in their own corner.
usage: check_arrows.py [--self-test]"""
import fnmatch
import re

import source_tree

FOLDERS = {
    "core": {"core"},
    "data": {"data", "core"},
    "nn": {"nn", "core"},
    "comm": {"comm", "core"},
    "stats": {"stats", "core"},
    "jobs": {"jobs", "data", "nn", "comm", "stats", "core"},
}
# Within jobs: a folder a kind of work, and which of the others it may use.
JOBS = {
    "context": set(),
    "model": {"context"},
    "predict": {"context", "model"},
    "train": {"context", "model"},
    "survey": {"context", "model"},
    "ensemble": {"context", "model", "predict", "train"},
    "launch": {"context"},
    "sets": {"context", "model", "train"},
    "cmd": {"context", "model", "predict", "train", "survey", "sets", "ensemble", "launch"},
}
# Headers, and the files that may include them.
CORNERS = [
    ("mpi.h", ["src/comm/mpi/*", "src/jobs/context/context.c"]),
    ("hdf5*.h", ["src/data/storage/*"]),
    ("data/storage/storage_private.h", ["src/data/storage/*", "src/data/formats/hdf5_reader.c"]),
    ("H5*public.h", []),
    ("cuda*", ["src/nn/cuda/*"]),
    ("cublas*", ["src/nn/cuda/*"]),
    ("cudnn*", ["src/nn/cuda/*"]),
    ("curand*", ["src/nn/cuda/*"]),
    ("nccl*", ["src/nn/cuda/*"]),
    ("cblas*.h", ["src/nn/kernels/*", "src/stats/*"]),
    ("lapacke*.h", ["src/stats/*"]),
    ("*dnnl*", ["src/nn/kernels/*"]),
]
# Types of libraries that no header of ours shows, but private ones.
LEAK = re.compile(r"\b(hid_t|hsize_t|hssize_t|haddr_t|herr_t|htri_t|H5[A-Z]\w*|cu\w+_t|cudnn\w*Handle_t)\b")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def check_quoted(path, name):
    folder = path.split("/")[1]
    target = name.split("/")[0]
    if "/" not in name or target not in FOLDERS:
        return f'"{name}": write project headers from src on, as "core/status.h"'
    if target not in FOLDERS.get(folder, set()):
        return f'"{name}": {folder} must not include {target}'
    return check_rooms(path, name) if folder == target == "jobs" else None


def check_rooms(path, name):
    """Both lie in jobs."""
    room, other = (p.split("/")[1:-1] for p in (path[len("src/"):], name))
    if room == other:
        return None
    if not room or not other or other[0] not in JOBS.get(room[0], set()):
        return f'"{name}": {"/".join(["jobs", *room])} must not include {"/".join(["jobs", *other])}'
    return None


def check_corner(path, name):
    for pattern, allowed in CORNERS:
        if fnmatch.fnmatch(name, pattern) and not any(fnmatch.fnmatch(path, a) for a in allowed):
            return f"<{name}>: only in {', '.join(allowed) or 'no file of ours'}"
    return None


def check(path, text):
    text = source_tree.without_comments(text)
    for m in INCLUDE.finditer(text):
        line = text.count("\n", 0, m.start()) + 1
        problem = check_corner(path, m[2]) or (check_quoted(path, m[2]) if m[1] == '"' else None)
        if problem:
            yield f"{path}:{line}: {problem}"
    if path.endswith(".h") and not path.endswith("_private.h"):
        for m in LEAK.finditer(text):
            yield f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {m[1]}: types of libraries stay out of headers that others include"


def self_test():
    bad = [
        ("src/core/a.c", '#include "nn/net.h"'),
        ("src/data/a.c", '#include "nn/net.h"'),
        ("src/nn/a.h", '  #  include "comm/comm.h"'),
        ("src/nn/a.h", '#include "jobs/x.h"'),
        ("src/stats/a.c", '#include "data/shard.h"'),
        ("src/comm/a.c", '#include "stats/folds.h"'),
        ("src/core/a.c", '#include "status.h"'),
        ("src/core/a.c", '#include "../nn/net.h"'),
        ("src/comm/comm.c", "#include <mpi.h>"),
        ("src/nn/a.c", "#include <mpi.h>"),
        ("src/nn/a.c", "#include <hdf5.h>"),
        ("src/jobs/train/trainer.c", "#include <hdf5.h>"),
        ("src/jobs/train/trainer.c", "#include <mpi.h>"),
        ("src/jobs/predict/apply.c", '#include "jobs/train/trainer.h"'),
        ("src/jobs/train/checkpoint.c", "#include <H5Fpublic.h>"),
        ("src/nn/kernels/a.cu", "#include <cuda_runtime.h>"),
        ("src/core/a.c", '#include "cublas_v2.h"'),
        ("src/nn/layers/dense.c", "#include <cblas.h>"),
        ("src/nn/layers/conv2d.c", "#include <oneapi/dnnl/dnnl.h>"),
        ("src/data/a.c", "#include <dnnl.h>"),
        ("src/data/a.c", "#include <cblas.h>"),
        ("src/data/shard.c", "#include <hdf5.h>"),
        ("src/data/shard.h", "int f(hid_t file);"),
        ("src/jobs/predict/oof.h", "typedef struct a { hsize_t dims[2]; } a;"),
        ("src/jobs/predict/oof.c", '#include "data/storage/storage_private.h"'),
        ("src/new/a.c", '#include "core/status.h"'),
        ("src/jobs/context/context.c", '#include "jobs/train/step.h"'),
        ("src/jobs/train/a.c", '#include "jobs/predict/oof.h"'),
        ("src/jobs/new/a.c", '#include "jobs/predict/oof.h"'),
    ]
    good = [
        ("src/jobs/context/context.c", '#include "data/shard.h"\n#include <mpi.h>'),
        ("src/jobs/train/step.c", '#include "nn/net.h"\n#include "data/shard.h"'),
        ("src/jobs/ensemble/a.c", '#include "jobs/context/context.h"\n#include "jobs/predict/oof.h"\n#include "jobs/train/step.h"'),
        ("src/data/storage/read.c", '#include "data/storage/storage_private.h"\n#include <hdf5.h>\n#include <stdio.h>'),
        ("src/data/storage/storage_private.h", "#include <hdf5.h>\nhid_t f(void);"),
        ("src/comm/mpi/world.c", '#include "comm/comm.h"\n#include <mpi.h>'),
        ("src/nn/kernels/gemm.c", "#include <cblas.h>\n#include <oneapi/dnnl/dnnl.h>"),
        ("src/nn/cuda/gemm.cu", "#include <cublas_v2.h>\n#include <cuda_runtime.h>"),
        ("src/stats/pca.c", "#include <lapacke.h>"),
        ("src/core/a.c", '/* #include "nn/net.h" */\n// #include <mpi.h>\nconst char *s = "x";'),
    ]
    for path, text in bad:
        assert len(list(check(path, text))) == 1, (path, text)
    assert list(check("src/core/a.c", '\n\n#include "nn/net.h"'))[0].startswith("src/core/a.c:3:")
    for path, text in good:
        assert not list(check(path, text)), (path, text)


def main(_):
    files = source_tree.paths("src")
    problems = [p for path in files for p in check(path, source_tree.read(path))]
    return source_tree.finish("include arrows", problems, len(files))


if __name__ == "__main__":
    source_tree.run(main, self_test)
