"""What a tree of processes uses."""

import os
import subprocess
import sys
import time

from benchmarks.processes import usage

_BUSY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "held = b'x' * 50_000_000; input()"],
                         stdin=subprocess.PIPE)
while time.process_time() < 0.3:
    pass
print("ready", flush=True)
input()
child.communicate(b"\\n")
"""


def test_children_count() -> None:
    """Processor time and memory are those of the process with its descendants."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 60
    while usage(process.pid).resident_bytes < 60_000_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    found = usage(process.pid)
    process.communicate(b"\n")
    assert 0.3 <= found.cpu_s < 30
    assert 60_000_000 <= found.resident_bytes < 500_000_000


def test_a_process_that_is_gone_uses_nothing() -> None:
    """Nobody has the id that is looked for."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    found = usage(process.pid)
    assert (found.cpu_s, found.resident_bytes) == (0.0, 0)
    assert usage(os.getpid()).resident_bytes > 0
