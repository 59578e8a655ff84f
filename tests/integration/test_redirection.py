"""The redirection of imports (testpmd_plugin/got.c) on each machine and binding that it knows. Another machine than
this one is emulated where its compiler and qemu-user are installed.

SPDX-License-Identifier: MIT
"""

import os
import platform
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")

# machine: its compiler and emulator, and where that finds the machine's libraries
MACHINES = {
    "x86_64": ("x86_64-linux-gnu-gcc", ["qemu-x86_64", "-L", "/usr/x86_64-linux-gnu"]),
    "aarch64": ("aarch64-linux-gnu-gcc", ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]),
}

BINDINGS = {
    "bound at start": ["-Wl,-z,now", "-Wl,-z,relro"],  # as Debian's testpmd: the table is read-only
    "bound at the first call": ["-Wl,-z,lazy"],
    "without a procedure table": ["-fno-plt", "-Wl,-z,now"],  # GLOB_DAT in place of JUMP_SLOT
    "at a fixed address": ["-no-pie", "-Wl,-z,now"],
}


def tools(machine):
    """The compiler and the emulator's command for a machine; skips when they are not there."""
    compiler, emulator = MACHINES[machine]
    if machine == platform.machine():
        return "cc", []
    for program in (compiler, emulator[0]):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    return compiler, emulator


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("machine", MACHINES)
def test_imports_of_a_program_are_redirected(sockets, machine, binding):
    compiler, emulator = tools(machine)
    flags = ["-std=gnu2x", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]
    library, program = os.path.join(sockets, "libanswer.so"), os.path.join(sockets, "redirected")
    subprocess.run([compiler, *flags, "-shared", "-fPIC", os.path.join(HERE, "answer.c"), "-o", library], check=True)
    pie = [] if "-no-pie" in BINDINGS[binding] else ["-fPIE", "-pie"]
    subprocess.run([compiler, *flags, *pie, *BINDINGS[binding], "-I", os.path.join(ROOT, "testpmd_plugin"),
                    "-I", os.path.join(ROOT, "common"), os.path.join(HERE, "redirected.c"),
                    os.path.join(ROOT, "testpmd_plugin", "got.c"), library, "-Wl,-rpath,$ORIGIN", "-o", program],
                   check=True)
    result = subprocess.run([*emulator, program], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
