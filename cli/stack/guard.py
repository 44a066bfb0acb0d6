"""Run one server so that it cannot outlive the process that started it.

Started as `python -S -E guard.py [--grace SECONDS] [--shm-prefix PREFIX] -- COMMAND…` in a
session of its own: a Ctrl-C in the terminal reaches neither this process nor the server. Standard
input is a pipe whose other end only the parent holds. When it reaches its end, because the parent
closed it or because the parent is dead, the server's process group gets TERM, then KILL after the
grace. Standard output carries one line, the server's process id; standard error is the server's
log. The exit status is the server's, 128 + N when signal N ended it.

Standard library only: with -S it starts in about 20 ms.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_TICK_S = 0.02


def _prctl(option: int, value: int) -> None:
    """Ask Linux for `option`; elsewhere the pipe alone has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _exec_server(command: list[str], guard_pid: int) -> None:
    """Become the server, in its own process group, to be killed if the guard is killed."""
    os.setpgid(0, 0)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard_pid:
        os._exit(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def _reap(server_pid: int) -> int | None:
    """Collect every ended child, adopted ones too; return the server's status if it is one."""
    status = None
    while True:
        try:
            pid, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == server_pid:
            exit_code = os.waitstatus_to_exitcode(code)
            status = exit_code if exit_code >= 0 else 128 - exit_code


def _signal_group(group: int, number: int) -> bool:
    """Signal what is left of the server's group; False when nothing is."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS: only zombies are left
        return False
    return True


def _watch_signals() -> int:
    """Return a descriptor that a child's end or a TERM, as its number, can be read from."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return wake_read


def _wait_for_end(server_pid: int, signals: int) -> int | None:
    """Wait until the server ends (its status) or it has to end (None)."""
    while True:
        status = _reap(server_pid)
        if status is not None:
            return status
        readable, _, _ = select.select([0, signals], [], [])
        if signals in readable and signal.SIGTERM in os.read(signals, 4096):
            return None
        if 0 in readable and not os.read(0, 4096):
            return None


def _end_group(server_pid: int, grace_s: float) -> int | None:
    """Stop the whole group: TERM, then KILL after the grace; return the server's status."""
    status = _reap(server_pid)
    if not _signal_group(server_pid, signal.SIGTERM):
        return status
    deadline = time.monotonic() + grace_s
    killed = False
    while _signal_group(server_pid, 0):
        found = _reap(server_pid)
        status = found if found is not None else status
        if not killed and time.monotonic() > deadline:
            killed = _signal_group(server_pid, signal.SIGKILL)
        time.sleep(_TICK_S)
    return status


def _remove_shared_memory(prefix: str) -> None:
    """Remove the regions that the server made and, when killed, could not remove itself."""
    folder = "/dev/shm"
    if not prefix or not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        if name.startswith(prefix):
            try:
                os.unlink(os.path.join(folder, name))
            except FileNotFoundError:
                continue


def main(arguments: list[str]) -> int:
    """Guard the command in `arguments` until it or the parent ends."""
    split = arguments.index("--")
    options = dict(zip(arguments[:split:2], arguments[1:split:2], strict=True))
    command = arguments[split + 1 :]
    signals = _watch_signals()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    guard_pid = os.getpid()
    # A TERM that arrives before the server has its own handlers waits until it has.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    server_pid = os.fork()
    if server_pid == 0:
        _exec_server(command, guard_pid)
    # Both sides make the group: whichever comes first, it is there before it is signalled.
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(server_pid, server_pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    os.write(1, f"{server_pid}\n".encode())
    os.close(1)
    status = _wait_for_end(server_pid, signals)
    left = _end_group(server_pid, float(options.get("--grace", "5")))
    _remove_shared_memory(options.get("--shm-prefix", ""))
    if status is None:
        status = left
    return status if status is not None else 128 + signal.SIGKILL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
