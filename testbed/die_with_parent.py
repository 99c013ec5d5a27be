"""Runs a command that the kernel kills when our parent ends: `python FILE PARENT_PID ARGV...`.

A program of its own, not a `preexec_fn`, because the latter may deadlock where threads run.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)

parent, *argv = sys.argv[1:]
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(parent):  # it ended before the kernel knew
    sys.exit(1)
os.execvp(argv[0], argv)  # noqa: S606 - becoming the command is the purpose
