"""Denies a process what computing does not need: files, network, other processes, more memory.

Run as a program, it confines its own process and then becomes the given program. Every worker of a pool
starts that way, also one that replaces a crashed worker:

    python -I -S agents/checking/confinement.py MEGABYTES READABLE PROGRAM [ARGUMENT ...]

A layer that the kernel lacks or forbids is skipped; the interpreter's own limits still apply.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache

LIBRARIES = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/etc/ld.so.cache"),
    "/usr/share/zoneinfo",
)
"""Paths that a program must read, besides its own, in order to start and to know the time zones."""


class Layer(StrEnum):
    """Layers of confinement. They are independent: if one is missing or broken, the others still hold."""

    LIMITS = "limits"
    """No bytes written to files, no core dumps, limited memory, no capabilities of root."""
    NAMESPACE = "network namespace"
    """A network namespace of its own, without any connection."""
    LANDLOCK = "landlock"
    """No writing of files; reading only of the allowed paths; no TCP and no signals to other processes."""
    SECCOMP = "seccomp"
    """No sockets, no new processes, no access to other processes, no change of a file's owner or mode."""


def confine(megabytes: int, readable: Iterable[str], layers: Iterable[Layer] = tuple(Layer)) -> list[Layer]:
    """Apply the layers to this process, irrevocably; return those that the kernel accepted.

    The process must have only one thread. `megabytes` limits its address space, and `readable` lists the
    paths that it may read besides `LIBRARIES`.
    """
    paths, chosen = (*LIBRARIES, *readable), frozenset(layers)
    apply = {
        Layer.LIMITS: lambda: _limit(megabytes),
        Layer.NAMESPACE: _leave_network,
        Layer.LANDLOCK: lambda: _keep_to(paths),
        Layer.SECCOMP: _filter_calls,
    }
    # In the order of `Layer`: seccomp comes last, because it refuses `unshare`, which the namespace needs.
    return [layer for layer in Layer if layer in chosen and apply[layer]()]


DROP_CAPABILITY = 24
"""Option of `prctl`: PR_CAPBSET_DROP."""


def _limit(megabytes: int) -> bool:
    for capability in range(64):  # more than any kernel has
        _took("prctl", DROP_CAPABILITY, capability, 0, 0, 0)
    limits = {resource.RLIMIT_AS: megabytes * 2**20, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    try:
        for kind, limit in limits.items():
            _, most = resource.getrlimit(kind)
            least = limit if most == resource.RLIM_INFINITY else min(limit, most)
            # The hard limit as well, so that the process cannot raise it again.
            resource.setrlimit(kind, (least, least))
    except (ValueError, OSError):  # not every system has all of Linux's limits
        return False
    return True


CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def _leave_network() -> bool:
    # Without root this needs a new user namespace as well.
    return _took("unshare", CLONE_NEWNET) or _took("unshare", CLONE_NEWUSER | CLONE_NEWNET)


CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers of Landlock's system calls, the same on every architecture."""
RULESET_VERSION, PATH_BENEATH = 1, 1
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Number of file rights that each version knows; later versions know 16. See linux/landlock.h."""
EXECUTE_AND_READ, READ_DIRECTORY = 0b0101, 0b1000
TCP_RIGHTS = 0b11
"""Bits for bind and connect, from version 4."""
SCOPES = 0b11
"""Bits for abstract Unix sockets and signals, from version 6."""


def _keep_to(paths: Sequence[str]) -> bool:
    """Forbid everything that Landlock knows, except reading and executing files beneath the paths."""
    if sys.platform != "linux":
        return False
    version = _libc().syscall(CREATE_RULESET, None, 0, RULESET_VERSION)
    if version < 1:
        return False
    rights = (1 << FILE_RIGHTS.get(version, 16)) - 1
    forbidden = struct.pack("QQQ", rights, TCP_RIGHTS * (version >= 4), SCOPES * (version >= 6))
    rules = _libc().syscall(CREATE_RULESET, forbidden, len(forbidden), 0)
    if rules < 0:
        return False
    for path in filter(os.path.exists, paths):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = EXECUTE_AND_READ | (READ_DIRECTORY if os.path.isdir(path) else 0)  # noqa: PTH112 - starts fast
        _libc().syscall(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", allowed, descriptor), 0)
        os.close(descriptor)
    return _took("prctl", NO_NEW_PRIVS, 1, 0, 0, 0) and _took("syscall", RESTRICT_SELF, rules, 0)


NO_NEW_PRIVS, SET_SECCOMP, FILTER_MODE = 38, 22, 2
"""Options and argument of `prctl`."""
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
"""Return values of a filter; the error number is added to `REFUSE`."""
CLONE_THREAD = 0x00010000
X32_CALLS = 0x40000000
"""Bit in the numbers of the x32 system calls on x86_64, which no program here needs."""
LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions of classic BPF (linux/filter.h)."""
NUMBER_AT, ARCHITECTURE_AT, FLAGS_AT = 0, 4, 16
"""Offsets in `struct seccomp_data`; `FLAGS_AT` is the low half of the first argument."""


MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""The number of an architecture in `struct seccomp_data`, and its column in `CLONE` and `REFUSED`."""
CLONE = (56, 220)
CLONE3 = 435
"""Refused with ENOSYS, since filters cannot see its flags; the C library then uses `clone` instead."""
REFUSED: Mapping[str, tuple[int, ...]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "io_uring_setup": (425, 425),
    "fork": (57,),
    "vfork": (58,),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_open": (434, 434),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "utimensat": (280, 88),
    "chmod": (90,),
    "chown": (92,),
    "lchown": (94,),
    "utime": (132,),
    "utimes": (235,),
    "futimesat": (261,),
}
"""Numbers of refused system calls (asm/unistd.h) on x86_64 and, if it has the call, on aarch64."""


def _filter_calls() -> bool:
    machine = MACHINES.get(os.uname().machine)
    if sys.platform != "linux" or machine is None:
        return False
    program = _filter(*machine)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    return _took("prctl", NO_NEW_PRIVS, 1, 0, 0, 0) and _took("prctl", SET_SECCOMP, FILTER_MODE, header)


def _filter(architecture: int, column: int) -> bytes:
    """A BPF program that refuses `REFUSED`, `clone` except for threads, and calls of other architectures.

    The second and third number of a jump are the instructions to skip if its test is true and if it is false.
    """
    refuse = (RETURN, 0, 0, REFUSE | errno.EPERM)
    numbers = [each[column] for each in REFUSED.values() if column < len(each)]
    program = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, architecture),
        refuse,
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_GREATER_EQUAL, 0, 1, X32_CALLS),
        refuse,
        *(step for number in numbers for step in ((JUMP_EQUAL, 0, 1, number), refuse)),
        (JUMP_EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
        (JUMP_EQUAL, 0, 3, CLONE[column]),
        (LOAD, 0, 0, FLAGS_AT),
        (JUMP_BITS, 1, 0, CLONE_THREAD),
        refuse,
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _took(function: str, *arguments: int | bytes) -> bool:
    """Call a function of the C library with words and pointers; return whether it exists and succeeded."""
    words = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    return hasattr(_libc(), function) and getattr(_libc(), function)(*words) == 0


def become(megabytes: int, readable: Sequence[str], program: str, arguments: Sequence[str]) -> None:
    """Replace this process by the confined program, without environment; only standard streams stay open.

    Standard error leads to /dev/null: nobody reads it, and a hostile program could write anything to it.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    # If standard error was closed, `open` returned its number 2, and `dup2` did not make it inheritable.
    os.set_inheritable(2, True)
    os.closerange(3, 2**16)
    confine(megabytes, [program, *readable])
    os.execve(program, [program, *arguments], {})


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2].split(os.pathsep), sys.argv[3], sys.argv[4:])
