"""Frames from a loopback nginx, proved, beside `curl --parallel`: python3 bench/jobs/fetch.py
ORRERY FRAMES [files=300] [runs=7] [connections=8]
    [folder=DIR] [limit=MiB/s]

FRAMES: a folder with packed frames somewhere below it; they are served under as many names as
`files` asks for.  In turn, on the same folder of names: curl as it is, curl and sync (what orrery
makes sure of before a file has its name), curl and then `bzip2 -t` of each file, and orrery fetch
with each level of proof.  The clock of orrery includes its start and its plan.  limit: nginx gives
each connection 1/connections of that rate, as a distant archive would.  Claim: with verification
(proof=stream) at least 90% of curl's rate on loopback; with proof=structure the same wherever the
line gives less than the cores can decode (about 200 MB/s each)."""
import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "jobs"))
import web  # noqa: E402


def serve_folder(root, frames, n):
    """Hard to mistake names in the layout of SDSS, and a catalogue of them; (names, catalogue,
    bytes)."""
    sources = sorted(glob.glob(os.path.join(frames, "**", "frame-*.fits.bz2"), recursive=True))
    sources = [s for s in sources if os.path.getsize(s) > 1 << 20] or sources
    rows, names, size = ["objID,ra,dec,run,rerun,camcol,field"], [], 0
    for i in range(n // 5):
        os.makedirs(os.path.join(root, "301/94/1"), exist_ok=True)
        rows.append(f"{i + 1},10,0,94,301,1,{i + 1}")
        for k, band in enumerate("ugriz"):
            name = f"301/94/1/frame-{band}-000094-1-{i + 1:04d}.fits.bz2"
            os.symlink(sources[(5 * i + k) % len(sources)], os.path.join(root, name))
            size += os.path.getsize(sources[(5 * i + k) % len(sources)])
            names.append(name)
    catalogue = os.path.join(os.path.dirname(root), "catalogue.csv")
    with open(catalogue, "w") as f:
        f.write("\n".join(rows) + "\n")
    return names, catalogue, size


class Bench:
    def __init__(self, program, folder, url, names, catalogue, connections):
        self.program, self.folder, self.url, self.names, self.catalogue, self.connections = program, folder, url, names, catalogue, connections
        self.config = os.path.join(os.path.dirname(catalogue), "curl.txt")
        with open(self.config, "w") as f:
            for n in names:
                f.write(f'url="{url}/{n}"\noutput="{folder}/{os.path.basename(n)}"\n')

    def timed(self, work):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        os.sync()
        begin = time.perf_counter()
        work()
        seconds = time.perf_counter() - begin
        got = sum(name.endswith(".bz2") for _, _, files in os.walk(self.folder) for name in files)
        if got != len(self.names):
            raise SystemExit(f"{got} of {len(self.names)} files came")
        return seconds

    def curl(self):
        subprocess.run(["curl", "-s", "--fail", "--parallel", "--parallel-max", str(self.connections), "-K", self.config], check=True,
                       stderr=subprocess.DEVNULL)

    def curl_sync(self):
        self.curl()
        subprocess.run(["sync", "-f", self.folder], check=True)

    def curl_bzip2(self):
        self.curl()
        files = "\0".join(os.path.join(self.folder, f) for f in os.listdir(self.folder))
        subprocess.run(["xargs", "-0", "-n", "8", "-P", str(os.cpu_count()), "bzip2", "-t"], input=files.encode(), check=True)

    def orrery(self, proof):
        subprocess.run([self.program, "fetch", f"archive.url={self.url}{web.TEMPLATE}", f"archive.folder={self.folder}", f"archive.proof={proof}",
                        f"catalogue.file={self.catalogue}", f"archive.connections={self.connections}", "runtime.progress=false"],
                       check=True, stdout=subprocess.DEVNULL)


def main():
    program, frames = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    options = dict(a.split("=") for a in sys.argv[3:])
    n, runs, connections = int(options.get("files", 300)), int(options.get("runs", 7)), int(options.get("connections", 8))
    os.environ["no_proxy"] = "127.0.0.1"
    with tempfile.TemporaryDirectory(dir=options.get("folder")) as folder:
        root = os.path.join(folder, "www")
        names, catalogue, size = serve_folder(root, frames, n)
        limit = f"limit_rate {int(float(options['limit']) * 1048576 / connections)};" if "limit" in options else ""
        with web.Nginx(root, limit, log=False) as nginx:
            b = Bench(program, os.path.join(folder, "out"), nginx.url, names, catalogue, connections)
            ways = {"curl": b.curl, "curl, sync": b.curl_sync, "orrery length": lambda: b.orrery("length"), "orrery stream": lambda: b.orrery("stream"),
                    "orrery structure": lambda: b.orrery("structure"), "orrery full": lambda: b.orrery("full"), "curl, bzip2 -t": b.curl_bzip2}
            for skipped in options.get("skip", "").split("+"):
                ways.pop(skipped, None)
            times = {way: [] for way in ways}
            for i in range(runs + 1):
                for way, work in ways.items():
                    seconds = b.timed(work)
                    if i > 0:  # the first round warms the page cache
                        times[way].append(seconds)
    base = statistics.median(times["curl"])
    print(f"{len(names)} files, {size / 1e6:.0f} MB, {connections} connections, {runs} runs, medians; rate against curl's (round by round)")
    for way, t in times.items():
        m = statistics.median(t)
        ratio = statistics.median(a / c for a, c in zip(times["curl"], t))
        print(f"  {way:18} {m:7.3f} s {size / 1e6 / m:7.0f} MB/s   {ratio:5.2f}   ({min(t):.3f} to {max(t):.3f}; of medians {base / m:.2f})")


if __name__ == "__main__":
    main()
