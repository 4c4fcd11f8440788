"""What the process gives up before any code of the project is loaded: memory, processor time, the network, and a life after
its parent's.

As far as the system has it. Where something cannot be had it goes without, and says so in the verdict: the guard in
`determinism` still refuses what Python code does, but not what an extension written in C does.
"""
from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Dict

#: Bytes of address space, and seconds of processor time, that the project's code may take. Extension modules reserve a
#: lot of address space that they never use.
MEMORY = 8 << 30
SECONDS = 300

#: Bytes that one file may grow to.
FILE_SIZE = 256 << 20

#: Flags of unshare(2): a user namespace of one's own, and in it a network without any device.
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

#: Of prctl(2): which signal comes when the parent ends.
_PR_SET_PDEATHSIG = 1


def confine() -> Dict[str, bool]:
    """Gives all of it up; says what could be done."""
    _end_with_parent()
    return {"memory": _limit_resources(), "network": _leave_network()}


def _end_with_parent() -> None:
    """Who is interrupted at a terminal has no time to end the processes that it has started."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _limit_resources() -> bool:
    try:
        import resource
    except ImportError:  # not a Unix
        return False
    for kind, most in (("RLIMIT_AS", MEMORY), ("RLIMIT_CPU", SECONDS), ("RLIMIT_FSIZE", FILE_SIZE), ("RLIMIT_CORE", 0)):
        number = getattr(resource, kind, None)
        if number is None:
            return False
        _, hard = resource.getrlimit(number)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(number, (most, most))
        except (ValueError, OSError):
            return False
    return True


def _leave_network() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    user, group = os.getuid(), os.getgid()
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            return False
    except (OSError, AttributeError):
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (user, user)),
                       ("gid_map", "%d %d 1" % (group, group))):
        try:
            with open("/proc/self/" + name, "w", encoding="ascii") as file:
                file.write(text)
        except OSError:
            pass  # the numbers look odd to the code; its rights are the same
    return True
