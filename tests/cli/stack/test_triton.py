"""LocalTriton: a real server that is there when asked for and gone afterwards."""

import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.stack.errors import PortTaken, ServerEnded, SetUpMissing
from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton, TritonPorts
from cli.stack.triton_wheel import TritonWheel
from inference.region_names import new_name
from tests.cli.stack.processes import eventually, group_of, regions, runs
from tests.conftest import MODELS, ROOT, TritonFactory

pytestmark = pytest.mark.triton

_PARENT = """
import sys, time
from pathlib import Path
from cli.stack.triton import LocalTriton
models, env, state = map(Path, sys.argv[1:4])
with LocalTriton(models, env, models=["linear"], state_dir=state) as server:
    print(server.pid, server.shm_prefix, flush=True)
    time.sleep(600)
"""


def test_serves_the_models_it_was_asked_for(triton: LocalTriton) -> None:
    """Once started, each model is ready by itself; others are not."""
    assert triton.ready("linear")
    assert triton.ready("linear", "1")
    assert not triton.ready("linear", "99")
    assert not triton.ready("absent")
    assert triton.grpc_url == f"grpc://127.0.0.1:{triton.ports.grpc}"
    assert triton.http_url == f"http://127.0.0.1:{triton.ports.http}"


def test_stop_leaves_nothing(triton_factory: TritonFactory) -> None:
    """No process of the server's group and no region in shared memory survive a stop."""
    server = triton_factory(models=["linear"])
    pid = server.pid
    assert len(group_of(pid)) >= 2, "the server and a stub per model"
    assert regions(server.shm_prefix)
    server.stop()
    assert group_of(pid) == set()
    assert regions(server.shm_prefix) == []
    assert not server.ready("linear")


def test_kill_leaves_nothing(triton_factory: TritonFactory) -> None:
    """A killed server takes its stubs and shared memory along, and can be started again."""
    server = triton_factory(models=["linear"])
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: group_of(pid) == set(), within_s=60)
    assert eventually(lambda: regions(server.shm_prefix) == [], within_s=60)
    again = triton_factory(models=["linear"], ports=server.ports)
    assert again.grpc_url == server.grpc_url
    assert again.ready("linear")


def test_what_a_lost_server_left_is_removed(triton_factory: TritonFactory) -> None:
    """By the next start, where the server's guard was killed as well; a living one's stays."""
    code = "from inference.region_names import new_name; print(new_name())"
    name = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    lost, living = (Path(f"/dev/shm/{each}-a-b") for each in (name, new_name()))
    try:
        for region in (lost, living):
            region.touch()
        triton_factory(models=[])
        assert (lost.exists(), living.exists()) == (False, True)
    finally:
        living.unlink()
        lost.unlink(missing_ok=True)


def _start_parent(triton_env: Path, state: Path) -> list[str]:
    return [sys.executable, "-c", _PARENT, str(MODELS), str(triton_env), str(state)]


def test_parents_kill_leaves_nothing(triton_env: Path, tmp_path: Path) -> None:
    """A SIGKILL of the process that started it ends the server, stubs and shared memory."""
    parent = subprocess.Popen(
        _start_parent(triton_env, tmp_path), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout as answer:
        pid, prefix = answer.readline().split()
    assert regions(prefix)
    parent.kill()
    parent.wait()
    assert eventually(lambda: group_of(int(pid)) == set(), within_s=60)
    assert eventually(lambda: regions(prefix) == [], within_s=60)


def test_interrupt_in_a_terminal_leaves_nothing(triton_env: Path, tmp_path: Path) -> None:
    """Ctrl-C on a real terminal reaches the parent only, which stops the server in order."""
    parent, terminal = pty.fork()
    if parent == 0:
        os.chdir(ROOT)
        command = _start_parent(triton_env, tmp_path)
        os.execv(command[0], command)
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        pid, prefix = screen.readline().decode().split()
        assert runs(int(pid))
        os.write(terminal, b"\x03")
        _, status = os.waitpid(parent, 0)
    assert os.waitstatus_to_exitcode(status) in (1, -signal.SIGINT)
    assert group_of(int(pid)) == set()
    assert regions(prefix) == []
    (log,) = (tmp_path / "logs").iterdir()
    assert "successfully unloaded 'linear'" in log.read_text()


def test_says_why_a_model_does_not_load(triton_factory: TritonFactory, tmp_path: Path) -> None:
    """The error that ends the start has the reason from the server's log."""
    broken = tmp_path / "models" / "broken"
    shutil.copytree(MODELS / "linear", broken)
    config = (broken / "config.pbtxt").read_text().replace('"linear"', '"broken"')
    (broken / "config.pbtxt").write_text(config)
    (broken / "1" / "model.py").write_text("raise RuntimeError('no weights')\n")
    with pytest.raises(ServerEnded, match=r"Triton ended with status .*no weights"):
        triton_factory(broken.parent, models=["broken"])


def test_names_a_taken_port(triton_factory: TritonFactory) -> None:
    """A port that was asked for and is in use is one line."""
    http, grpc, metrics = free_ports(3)
    with socket.socket() as other:
        other.bind(("127.0.0.1", grpc))
        other.listen()
        with pytest.raises(PortTaken, match=f"port {grpc} for Triton is taken"):
            triton_factory(ports=TritonPorts(http=http, grpc=grpc, metrics=metrics))


def test_takes_other_ports_when_it_loses_a_race(triton_factory: TritonFactory) -> None:
    """A free port that another process took first is tried again with others."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        asked: list[Sequence[int]] = []

        def find_ports(count: int) -> Sequence[int]:
            lost = not asked
            asked.append(free_ports(count))
            return (other.getsockname()[1], *asked[-1][1:]) if lost else asked[-1]

        server = triton_factory(find_ports=find_ports)
        assert len(asked) == 2
        assert server.ports == TritonPorts(*asked[1])


def test_is_not_started_unasked(triton_env: Path, tmp_path: Path) -> None:
    """A described server has no process, no ports and no files."""
    server = LocalTriton(MODELS, triton_env, state_dir=tmp_path / "state")
    server.stop()
    for question in (lambda: server.pid, lambda: server.ports):
        with pytest.raises(RuntimeError, match="Triton was not started"):
            question()
    assert not (tmp_path / "state").exists()


def test_says_how_to_build_a_missing_environment(tmp_path: Path) -> None:
    """Without Triton's environment the remedy is a make target."""
    with pytest.raises(SetUpMissing, match=r"no Triton in .*: run `make demo` or `make test`"):
        TritonWheel.find(tmp_path)


def test_refuses_a_folder_that_is_no_environment(triton_env: Path, tmp_path: Path) -> None:
    """Without pyvenv.cfg the interpreter's libraries cannot be found."""
    (tmp_path / "lib").symlink_to(triton_env.resolve() / "lib")
    (tmp_path / "pyvenv.cfg").write_text("nothing = here\n")
    with pytest.raises(SetUpMissing, match="is no virtual environment"):
        TritonWheel.find(tmp_path)


def test_backends_are_laid_out_once(triton_env: Path, tmp_path: Path) -> None:
    """A second server finds the backend directory of the first."""
    wheel = TritonWheel.find(triton_env)
    first = wheel.lay_out_backends(tmp_path)
    written = (first / "python").stat().st_mtime_ns
    assert wheel.lay_out_backends(tmp_path) == first
    assert (first / "python").stat().st_mtime_ns == written
    assert sorted(path.name for path in (first / "python").iterdir()) == [
        "libtriton_python.so",
        "triton_python_backend_stub",
        "triton_python_backend_utils.py",
    ]
