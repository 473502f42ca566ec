"""What test_slurm.py does on a machine that lacks something: a skip that says what, in one
sentence; a failure that says it where ORRERY_REQUIRE names slurm (or namespaces, for those), or in
CI.   test_requirements.py GATE.so"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(1, os.path.dirname(os.path.abspath(__file__)))
import cluster  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = "import runpy, sys; sys.path.insert(1, {0!r}); import cluster; {1}; runpy.run_path({0!r} + '/test_slurm.py', run_name='__main__')"
# root, but for namespaces
NO_RIGHTS = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]


def slurm_tests(patch, *names, words=(), **env):
    """(exit code, what it printed)"""
    clean = {k: v for k, v in os.environ.items() if k not in ("CI", "ORRERY_REQUIRE")}
    p = subprocess.run([*words, sys.executable, "-c", RUN.format(HERE, patch), sys.argv[1], *names], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       env={**clean, **env}, timeout=120, check=False)
    return p.returncode, p.stdout.strip()


def expect(got, code, said):
    assert got[0] == code and got[1] == said, f"exit code {got[0]}, not {code}:\n{got[1]}\nnot:\n{said}"


def programs(folder):
    """All of Slurm's but slurmctld."""
    for name in cluster.PROGRAMS:
        if name != "slurmctld":
            os.symlink(shutil.which("true"), os.path.join(folder, name))
    patch, why = f"cluster.path = lambda: {folder!r}", "no Slurm on this machine: slurmctld (scripts/setup.sh installs it)"
    expect(slurm_tests(patch), 77, "skipped: " + why)
    expect(slurm_tests(patch, ORRERY_REQUIRE="gpu slurm"), 1, why)
    expect(slurm_tests(patch, CI="true"), 1, why)
    expect(slurm_tests(patch, ORRERY_REQUIRE="gpu"), 77, "skipped: " + why)


def rights():
    words = NO_RIGHTS if cluster.namespaces() else []

    def works(*more):
        return subprocess.run([*words, *more], capture_output=True, check=False).returncode == 0
    if words and (not works("true") or works(*cluster.namespaces())):
        return "namespaces cannot be forbidden here"
    if cluster.missing():
        return "no Slurm on this machine"
    why = "no namespaces here (unshare --uts --pid --mount-proc takes root): ranks on nodes of one host name take one another for neighbours"
    expect(slurm_tests("pass", "node_lost", words=words, ORRERY_REQUIRE="slurm namespaces"), 1, why)
    # scripts/test.sh, of a user who is not root
    code, said = slurm_tests("pass", "node_lost", "resources", words=words, ORRERY_REQUIRE="slurm")
    lines = sorted(line.split(maxsplit=4) for line in said.split("\n"))
    assert code == 0 and [(w[0], w[3]) for w in lines] == [("ok", "resources"), ("skipped", "node_lost")] and lines[1][4] == why, said
    return None


with tempfile.TemporaryDirectory(prefix="orrery-test-") as tmp:
    programs(tmp)
print(rights() or "ok")
