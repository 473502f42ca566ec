"""Runs the self-test of every check in this folder: each is fed samples that violate it and must
find them."""
import glob
import os
import subprocess
import sys


def main():
    failed = 0
    checks = sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_*.py")))
    for path in checks:
        done = subprocess.run([sys.executable, path, "--self-test"], capture_output=True, text=True)
        verdict = {0: "finds its samples", 77: "skipped: " + done.stdout.strip()}.get(done.returncode, "FAILED")
        print(f"{os.path.basename(path)}: {verdict}")
        if verdict == "FAILED":
            failed += 1
            print(done.stdout + done.stderr)
    return 1 if failed or len(checks) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
