"""How many ranks the batch scripts start, by what Slurm says of the tasks: SLURM_NTASKS, or, where
--ntasks-per-node alone leaves it unset, the tasks of each node.  The program is a stand-in that
shows its words.   test_ranks.py"""
import glob
import os
import re
import subprocess
import sys
import tempfile

HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NO_SLURM = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "ORRERY"))}
SCONTROL = '#!/bin/sh\n[ "$1" = show ] && [ "$2" = hostnames ] && printf "%s\\n" $NODES; exit 0\n'


def program(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, 0o755)


def start(folder, script, slurm, nodes=""):
    """(exit code, ranks= and hosts= of the launch, or None, all that was printed)"""
    env = {**NO_SLURM, "ORRERY_HOME": HOME, "ORRERY": folder + "/orrery", "SLURM_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "0",
           **{"SLURM_" + k: v for k, v in slurm.items()}}
    if nodes:
        env.update(PATH=folder + "/bin:" + env["PATH"], NODES=nodes, SLURM_JOB_NODELIST="list")
    p = subprocess.run(["bash", script, "job.yaml"], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    ranks = re.search(r"^word ranks=(\d+)$", p.stdout, re.M)
    hosts = re.search(r"^word hosts=(\S+)$", p.stdout, re.M)
    return p.returncode, (int(ranks[1]), hosts[1] if hosts else "") if ranks else None, p.stdout


CASES = [  # what Slurm says, how many ranks that is
    ({"NTASKS": "3"}, 3),
    ({"NTASKS": "3", "NTASKS_PER_NODE": "8", "TASKS_PER_NODE": "3"}, 3),
    ({"NPROCS": "5"}, 5),
    ({"JOB_NUM_NODES": "1", "NTASKS_PER_NODE": "2", "TASKS_PER_NODE": "2"}, 2),
    ({"NTASKS": "", "NTASKS_PER_NODE": "2"}, 2),
    ({"JOB_NUM_NODES": "3", "NTASKS_PER_NODE": "2"}, 6),
    ({"NNODES": "3", "NTASKS_PER_NODE": "2"}, 6),
    # asked for, while Slurm lists cores
    ({"JOB_NUM_NODES": "2", "NTASKS_PER_NODE": "2", "TASKS_PER_NODE": "16(x2)"}, 4),
    ({"JOB_NUM_NODES": "4", "TASKS_PER_NODE": "2(x3),1"}, 7),
    ({"JOB_NUM_NODES": "4", "TASKS_PER_NODE": "1,2(x2),4"}, 9),
    ({"JOB_NUM_NODES": "12", "TASKS_PER_NODE": "08(x10),9(x2)"}, 98),
    ({"TASKS_PER_NODE": "4"}, 4),
]
HOSTS = [
    ({"JOB_NUM_NODES": "4", "TASKS_PER_NODE": "2(x3),1"}, "a b c d", (7, "a:2,b:2,c:2,d:1")),
    ({"JOB_NUM_NODES": "2", "NTASKS_PER_NODE": "2"}, "a b", (4, "a:2,b:2")),
    ({"JOB_NUM_NODES": "2", "NTASKS_PER_NODE": "2", "TASKS_PER_NODE": "16(x2)"}, "a b", (4, "a:2,b:2")),
    ({"JOB_NUM_NODES": "2", "NTASKS": "3", "TASKS_PER_NODE": "2,1"}, "a b", (3, "a:2,b:1")),
    ({"JOB_NUM_NODES": "2", "NTASKS": "3"}, "a b", (3, "")),
]
REFUSED = [
    ({"NTASKS": "many"}, "SLURM_NTASKS=many is no number of ranks"),
    ({"TASKS_PER_NODE": "2(x3"}, "SLURM_TASKS_PER_NODE=2(x3 is no list like 4(x2),3"),
    ({"TASKS_PER_NODE": "2,,1"}, "SLURM_TASKS_PER_NODE=2,,1 is no list"),
    ({"TASKS_PER_NODE": "two"}, "SLURM_TASKS_PER_NODE=two is no list"),
    ({"NTASKS_PER_NODE": "x", "JOB_NUM_NODES": "2"}, "SLURM_NTASKS_PER_NODE=x on 2 nodes is no number of ranks"),
]


def main():
    scripts = sorted(glob.glob(HOME + "/slurm/*.sbatch"))
    assert len(scripts) >= 5, scripts
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(folder + "/bin")
        program(folder + "/orrery", '#!/bin/sh\nfor w; do echo "word $w"; done\n')
        program(folder + "/bin/scontrol", SCONTROL)
        for script in scripts:
            for slurm, ranks in CASES:
                code, got, said = start(folder, script, slurm)
                assert code == 0 and got == (ranks, ""), f"{script}: {slurm}: {got}, not {ranks} ranks\n{said}"
                assert f" {ranks} ranks, " in said, said
        for slurm, nodes, want in HOSTS:
            code, got, said = start(folder, scripts[-1], slurm, nodes)
            assert code == 0 and got == want, f"{slurm}: {got}, not {want}\n{said}"
        for slurm, sentence in REFUSED:
            code, got, said = start(folder, scripts[-1], slurm)
            assert code == 2 and got is None and sentence in said, f"{slurm}: {code} {got}\n{said}"
        code, got, said = start(folder, scripts[-1], {})
        assert code == 0 and got == (1, "") and "Slurm does not say how many tasks there are" in said, said
    return 0


if __name__ == "__main__":
    sys.exit(main())
