"""The program that users run is hardened (orr_harden in cmake/OrreryTargets.cmake), as its ELF file
says: check_hardening.py PROGRAM"""
import os
import re
import subprocess
import sys
import tempfile

# what readelf shows: with which option, a pattern, what is missing without it
WANTED = (("-hW", r"Type: +DYN", "it is loaded at a fixed address (-pie)"),
          ("-dW", r"FLAGS.*\b(BIND_NOW|NOW)\b", "addresses are bound late (-z now)"),
          ("-lW", r"GNU_RELRO", "tables of addresses can be written (-z relro)"),
          ("-lW", r"GNU_STACK.* RW +0x", "its stack can be executed (-z noexecstack)"),
          ("--dyn-syms -W", r"UND __stack_chk_fail", "stacks are not guarded (-fstack-protector-strong)"),
          ("--dyn-syms -W", r"UND __(mem|str|s?n?printf|vsnprintf|read|pread)\w*_chk", "copies are not checked (-D_FORTIFY_SOURCE)"))


def faults(program):
    def show(options):
        return subprocess.run(["readelf", *options.split(), program], capture_output=True, text=True, check=True).stdout
    return [what for options, pattern, what in WANTED if not re.search(pattern, show(options))]


def self_test():
    """A program with nothing of it has every fault."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "bare.c"), os.path.join(folder, "bare")
        with open(source, "w") as f:
            f.write("int main(void) { return 0; }\n")
        subprocess.run([os.environ.get("CC", "cc"), "-no-pie", "-fno-stack-protector", "-z", "execstack", "-z", "norelro", "-z", "lazy", source, "-o", program],
                       check=True, capture_output=True)
        assert faults(program) == [what for _, _, what in WANTED], faults(program)


def main():
    if sys.argv[1] == "--self-test":
        self_test()
        return 0
    found = faults(sys.argv[1])
    for what in found:
        print(f"{sys.argv[1]}: {what}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
