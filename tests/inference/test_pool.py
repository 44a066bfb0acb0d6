"""A pool of scripted servers, with the faults that real ones have."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from inference import errors
from inference.breaker import State
from inference.pool import Pool, open_pool
from inference.settings import InferenceSettings
from inference.tensors import InferAnswer, InferRequest
from inference.triton import TritonServer
from registry.domain import Signature, TensorSpec
from tests.inference.scripted import DOUBLES, ScriptedModel, ScriptedServer, until
from tests.inference.simulated import PacedServer, simulate

QUICK = InferenceSettings(
    triton_urls=("a", "b"),
    attempt_timeout_s=60.0,
    request_deadline_s=100.0,
    probe_timeout_s=60.0,
    probe_interval_s=0.02,
    backoff_base_s=0.01,
    backoff_max_s=0.05,
    not_ready_recheck_s=0.1,
    breaker_open_s=0.2,
    breaker_open_max_s=1.0,
    breaker_timeout_floor_s=0.1,
)

"""What is soon over is waited for; nothing that should happen is late, however slow the machine."""

LASTING = QUICK.model_copy(
    update={"breaker_open_s": 600.0, "breaker_open_max_s": 600.0, "not_ready_recheck_s": 600.0}
)
"""For tests that look at what a pool thinks of its servers: it asks none of them again."""

PATIENT = QUICK.model_copy(update={"attempt_timeout_s": 3600.0, "request_deadline_s": 3600.0})
"""For tests that end a request's waiting themselves."""

AS_SHIPPED = InferenceSettings(triton_urls=("a", "b"))


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def servers(count: int) -> list[ScriptedServer]:
    """Return healthy servers called a, b, c…"""
    return [ScriptedServer("abcdefgh"[index]) for index in range(count)]


def request(number: float = 1.0, *, priority: int = 0) -> InferRequest:
    """Return one row."""
    x = np.full((1, 1), number, dtype=np.float32)
    return InferRequest("faulty", "1", {"x": x}, ("y",), 1, priority=priority)


async def kill(pool: Pool, count: int = 5) -> None:
    """Fail requests until the only server's breaker is open."""
    for _ in range(count):
        with pytest.raises(errors.TransientError):
            await pool.infer(request())


def states(pool: Pool) -> list[State]:
    """Return each server's breaker state."""
    return [server.breaker for server in pool.health().servers]


async def test_it_answers_and_closes_its_servers() -> None:
    """The whole path when nothing goes wrong."""
    made = servers(2)
    async with Pool(made, QUICK) as pool:
        answer = await pool.infer(request(21))
        health = pool.health()
    assert answer.outputs["y"].item() == 42
    assert (health.requests, health.retries, health.failures, health.waiting) == (1, 0, 0, 0)
    assert sum(server.outstanding for server in health.servers) == 0
    assert all(server.closed for server in made)


async def test_a_request_that_fails_on_one_server_goes_to_another_at_once() -> None:
    """Whatever is sent during the loss of a server is answered by the other."""
    made = servers(2)
    async with Pool(made, LASTING) as pool:
        made[0].away = True
        await asyncio.gather(*(pool.infer(request()) for _ in range(60)))
        assert states(pool) == [State.OPEN, State.CLOSED]
        assert pool.health().retries >= 1


def test_a_stuck_server_costs_one_time_out_each_until_it_is_left_alone() -> None:
    """It says ready all along; the deadline of a request includes its retries."""

    async def run() -> None:
        made, clock = servers(2), asyncio.get_running_loop().time
        made[0].stuck = True
        async with Pool(made, QUICK, clock=clock) as pool:
            started = clock()
            await asyncio.gather(*(pool.infer(request()) for _ in range(20)))
            assert clock() - started < 3 * QUICK.attempt_timeout_s
            assert states(pool)[1] is State.CLOSED
            made[1].stuck = True
            started = clock()
            with pytest.raises(errors.TransientError):
                await pool.infer(request(), deadline_s=0.15)
            assert clock() - started < 0.2

    simulate(run())


def test_a_server_that_says_ready_and_hangs_is_left_alone_where_another_answers() -> None:
    """With the settings as they ship: its probes do not help it."""

    async def run() -> None:
        made, clock = servers(2), asyncio.get_running_loop().time
        made[0].stuck = True
        async with Pool(made, AS_SHIPPED, clock=clock) as pool:
            pool.watch("faulty", "1")
            for _ in range(200):
                await asyncio.gather(*(pool.infer(request()) for _ in range(8)))
                await asyncio.sleep(1)
            assert states(pool) == [State.OPEN, State.CLOSED]

    simulate(run())


@pytest.mark.parametrize("silent", [False, True])
def test_a_row_that_takes_too_long_says_what_to_set(silent: bool) -> None:
    """A single row is not asked for again and again; the size is named with the setting."""

    async def run() -> None:
        made, clock = servers(1), asyncio.get_running_loop().time
        made[0].delay_s, made[0].silent = 100.0, silent
        async with Pool(made, AS_SHIPPED, clock=clock) as pool:
            with pytest.raises(
                errors.DeadlineExceeded,
                match=r"of 1 row within 30 s, of 30 s allowed \(NIGHTSHIFT_ATTEMPT_TIMEOUT_S\)",
            ):
                await pool.infer(request())
            assert len(made[0].asked) == 1

    simulate(run())


def test_many_rows_that_a_live_server_does_not_answer_in_time_are_for_the_caller_to_cut() -> None:
    """Its window is halved and its breaker left closed; one that is silent is given up."""

    async def run(*, silent: bool) -> tuple[type[BaseException], int, int]:
        made, clock = servers(1), asyncio.get_running_loop().time
        made[0].delay_s = 100.0
        async with Pool(made, AS_SHIPPED, clock=clock) as pool:
            x = np.ones((8, 1), dtype=np.float32)
            many = InferRequest("faulty", "1", {"x": x}, ("y",), 8)
            asked = asyncio.create_task(pool.infer(many))
            await asyncio.sleep(1)
            made[0].silent = silent
            (error,) = await asyncio.gather(asked, return_exceptions=True)
            assert isinstance(error, errors.DeadlineExceeded)
            health = pool.health()
            return type(error), health.servers[0].window, health.failures

    assert simulate(run(silent=False)) == (errors.ServerSlow, 2, 0)
    assert simulate(run(silent=True)) == (errors.DeadlineExceeded, 4, 1)


def test_a_request_waits_for_its_turn_as_long_as_others_are_answered() -> None:
    """Eighty rows of five seconds each wait up to seven minutes; a request's limit is two."""

    async def run() -> None:
        made = [PacedServer("a", row_s=5.0)]
        async with Pool(made, AS_SHIPPED, clock=asyncio.get_running_loop().time) as pool:
            await pool.infer(request())
            await asyncio.gather(*(pool.infer(request()) for _ in range(80)))
            assert states(pool) == [State.CLOSED]

    simulate(run())


async def test_when_every_breaker_is_open_it_says_so_at_once() -> None:
    """Nothing is sent, and the caller hears when to come back."""
    made, clock = servers(1), Clock()
    made[0].away = True
    async with Pool(made, QUICK, clock=clock, random=lambda: 1.0) as pool:
        with pytest.raises(errors.ServerUnreachable, match="a: connection refused"):
            await pool.infer(request())
        with pytest.raises(errors.PoolUnavailable, match="last error: a: connection refused"):
            await pool.infer(request())
        made[0].away = False
        with pytest.raises(errors.PoolUnavailable) as caught:
            await pool.infer(request())
        assert caught.value.retry_after_s == pytest.approx(0.2)
        assert made[0].asked == []
        clock.now += 0.2
        await pool.infer(request())
        assert states(pool) == [State.CLOSED]


async def test_a_single_server_that_blinks_is_asked_again_after_a_pause() -> None:
    """There is no other, and one refused connection is no outage."""
    made = servers(1)
    made[0].faults.append(errors.ServerUnreachable("a: Socket closed", server="a"))
    async with Pool(made, QUICK) as pool:
        await pool.infer(request())
        assert pool.health().retries == 1


async def test_one_request_probes_a_recovering_server_and_the_others_wait() -> None:
    """No herd: of thirty requests one is sent until it is answered."""
    made, clock = servers(1), Clock()
    made[0].away = True
    async with Pool(made, PATIENT, clock=clock) as pool:
        await kill(pool, 2)
        made[0].away, made[0].gate = False, asyncio.Event()
        clock.now += 1
        tasks = [asyncio.create_task(pool.infer(request())) for _ in range(30)]
        await until(lambda: made[0].running + pool.health().waiting == 30)
        assert (made[0].running, pool.health().waiting) == (1, 29)
        made[0].gate.set()
        await asyncio.gather(*tasks)


async def test_a_failed_probe_sends_those_who_wait_home() -> None:
    """Every one of them hears that the pool is unavailable."""
    made, clock = servers(1), Clock()
    made[0].away = True
    async with Pool(made, QUICK, clock=clock) as pool:
        await kill(pool, 2)
        clock.now += 1
        outcomes = await asyncio.gather(
            *(pool.infer(request()) for _ in range(10)), return_exceptions=True
        )
    assert {type(outcome) for outcome in outcomes} == {errors.PoolUnavailable}


async def test_a_cancelled_probe_lets_the_next_one_try() -> None:
    """An abandoned request says nothing about the server."""
    made, clock = servers(1), Clock()
    made[0].away = True
    async with Pool(made, PATIENT, clock=clock) as pool:
        await kill(pool, 2)
        made[0].away, made[0].stuck = False, True
        clock.now += 1
        probe = asyncio.create_task(pool.infer(request()))
        await until(lambda: made[0].running == 1)
        follower = asyncio.create_task(pool.infer(request()))
        await until(lambda: pool.health().waiting == 1)
        made[0].stuck = False
        probe.cancel()
        await follower
        assert made[0].cancelled == 1


async def test_a_half_open_server_without_the_model_is_alive_but_not_asked() -> None:
    """Its readiness is asked before a real request is risked."""
    made, clock = servers(2), Clock()
    async with Pool(made, QUICK, clock=clock) as pool:
        made[0].away = True
        await asyncio.gather(*(pool.infer(request()) for _ in range(30)))
        made[0].away = False
        made[0].loaded.clear()
        clock.now += 1
        await asyncio.gather(*(pool.infer(request()) for _ in range(5)))
        assert made[0].asked == []
        assert states(pool) == [State.CLOSED, State.CLOSED]
        assert pool.health().servers[0].not_ready == (("faulty", "1"),)


async def test_overload_shifts_load_and_never_opens_a_breaker() -> None:
    """A full queue halves the window and the request goes where there is room."""
    made = servers(2)
    made[0].always = errors.ServerOverloaded("a: Exceeds maximum queue size", server="a")
    async with Pool(made, QUICK) as pool:
        await asyncio.gather(*(pool.infer(request()) for _ in range(50)))
        health = pool.health()
    assert [server.breaker for server in health.servers] == [State.CLOSED, State.CLOSED]
    assert health.servers[0].window <= 2
    assert health.overloads >= 1
    assert health.retries == 0


def test_an_overload_that_lasts_ends_with_the_deadline() -> None:
    """The caller hears of the overload, not of a time-out."""

    async def run() -> None:
        made = servers(1)
        made[0].always = errors.ServerOverloaded("a: Exceeds maximum queue size", server="a")
        async with Pool(made, QUICK, clock=asyncio.get_running_loop().time) as pool:
            with pytest.raises(errors.ServerOverloaded):
                await pool.infer(request(), deadline_s=0.2)
            assert states(pool) == [State.CLOSED]

    simulate(run())


@pytest.mark.parametrize(
    "kind", [errors.RequestRejected, errors.MicrobatchTooLarge, errors.ContractViolation]
)
async def test_permanent_errors_are_raised_at_once_and_never_open_a_breaker(
    kind: type[errors.InferenceError],
) -> None:
    """One request each, whichever server."""
    made = servers(2)
    for server in made:
        server.always = kind("refused", server=server.url)
    async with Pool(made, QUICK) as pool:
        for _ in range(30):
            with pytest.raises(kind):
                await pool.infer(request())
        assert sum(len(server.asked) for server in made) == 30
        assert states(pool) == [State.CLOSED, State.CLOSED]


async def test_a_fault_is_tried_once_elsewhere_then_is_the_rows_own() -> None:
    """Two servers agree, so neither is blamed, however often it happens."""
    made = servers(3)
    for server in made:
        server.always = errors.ServerFault("the kernel failed", server=server.url)
    async with Pool(made, QUICK) as pool:
        for _ in range(30):
            with pytest.raises(errors.ServerFault):
                await pool.infer(request())
        assert sum(len(server.asked) for server in made) == 60
        assert set(states(pool)) == {State.CLOSED}


async def test_faults_that_another_server_does_not_have_open_the_breaker() -> None:
    """A server that says ready and fails at everything is left alone."""
    made = servers(2)
    made[0].always = errors.ServerFault("CUDA error: unspecified", server="a")
    async with Pool(made, LASTING) as pool:
        for _ in range(40):
            await pool.infer(request())
            if states(pool)[0] is State.OPEN:
                break
        assert states(pool) == [State.OPEN, State.CLOSED]


async def test_a_model_missing_on_one_server_is_asked_for_on_another() -> None:
    """The server is left out for that model for a while, its breaker stays closed."""
    made = servers(2)
    made[0].loaded.clear()
    async with Pool(made, LASTING) as pool:
        for _ in range(10):
            await pool.infer(request())
        assert len(made[0].asked) <= 1
        assert states(pool) == [State.CLOSED, State.CLOSED]


async def test_a_model_that_no_server_has_ready_fails_as_such() -> None:
    """At once, naming the model and the servers."""
    made = servers(2)
    for server in made:
        server.loaded.clear()
    async with Pool(made, LASTING) as pool:
        for words in ("unknown model faulty", r"'faulty' version 1 is not ready on any of a, b"):
            with pytest.raises(errors.ModelNotReady, match=words):
                await pool.infer(request())


async def test_an_open_server_beside_one_without_the_model_is_unavailable() -> None:
    """Nothing can be asked now, and that may change."""
    made = servers(2)
    async with Pool(made, LASTING, random=lambda: 1.0) as pool:
        made[0].away = True
        await asyncio.gather(*(pool.infer(request()) for _ in range(30)))
        made[1].loaded.clear()
        with pytest.raises(errors.ModelNotReady):
            await pool.infer(request())
        with pytest.raises(errors.PoolUnavailable) as caught:
            await pool.infer(request())
        assert 0 < caught.value.retry_after_s <= 600.0


async def test_cancelling_a_request_cancels_it_on_the_server_and_frees_its_place() -> None:
    """The window is whole afterwards."""
    made = servers(1)
    made[0].stuck = True
    async with Pool(made, PATIENT) as pool:
        tasks = [asyncio.create_task(pool.infer(request())) for _ in range(6)]
        await until(lambda: made[0].running + pool.health().waiting == 6)
        assert made[0].running == 4
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        health = pool.health()
        assert (made[0].cancelled, health.servers[0].outstanding, health.waiting) == (4, 0, 0)
        made[0].stuck = False
        await pool.infer(request())


def test_a_hurried_caller_does_not_open_a_healthy_servers_breaker() -> None:
    """A deadline of 10 ms that is missed says nothing about the server."""

    async def run() -> None:
        made = servers(1)
        made[0].delay_s = 0.05
        async with Pool(made, QUICK, clock=asyncio.get_running_loop().time) as pool:
            for _ in range(10):
                with pytest.raises(errors.DeadlineExceeded):
                    await pool.infer(request(), deadline_s=0.01)
            assert states(pool) == [State.CLOSED]

    simulate(run())


async def test_a_request_that_gets_no_place_in_time_is_late() -> None:
    """It was never sent, and says so."""
    made = servers(1)
    made[0].stuck = True
    async with Pool(made, PATIENT) as pool:
        busy = [asyncio.create_task(pool.infer(request())) for _ in range(4)]
        await until(lambda: made[0].running == 4)
        with pytest.raises(errors.DeadlineExceeded, match="waited for a server"):
            await pool.infer(request(), deadline_s=0.05)
        assert len(made[0].asked) == 4
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


async def test_no_more_retries_run_at_one_time_than_the_budget_allows() -> None:
    """Forty requests lose their server together; a fifth of them at most retry at once."""
    settings = PATIENT.model_copy(update={"window_initial": 40, "window_max": 64})
    lost, other = ScriptedServer("a"), ScriptedServer("b")
    lost.gate, other.gate = asyncio.Event(), asyncio.Event()
    lost.always = errors.ServerUnreachable("a: Socket closed", server="a")
    async with Pool([lost, other], settings) as pool:
        other.loaded.clear()
        await pool.ready("faulty", "1")
        tasks = [asyncio.create_task(pool.infer(request())) for _ in range(40)]
        await until(lambda: lost.running == 40)
        other.loaded.add("faulty")
        await pool.ready("faulty", "1")
        lost.gate.set()
        await until(lambda: other.running == 8)
        other.gate.set()
        await asyncio.gather(*tasks)
    assert other.most_running == 8


async def test_readiness_is_asked_per_model_and_can_be_awaited() -> None:
    """True as soon as one server has it."""
    made = servers(2)
    async with Pool(made, QUICK) as pool:
        assert await pool.ready("faulty", "1")
        assert not await pool.ready("nope", "1")
        for server in made:
            server.loaded.clear()
        waiting = asyncio.create_task(pool.ready("faulty", "1", wait_s=60))
        await asyncio.sleep(0.02)
        await made[1].load("faulty")
        assert await waiting


async def test_a_watched_model_is_known_to_be_away_before_a_request_finds_out() -> None:
    """The background probe marks it, and marks it back."""
    made = servers(2)
    async with Pool(made, QUICK) as pool:
        pool.watch("faulty", "1")
        await made[0].unload("faulty")
        await until(lambda: pool.health().servers[0].not_ready != ())
        await asyncio.gather(*(pool.infer(request()) for _ in range(5)))
        assert made[0].asked == []
        await made[0].load("faulty")
        await until(lambda: pool.health().servers[0].not_ready == ())


async def test_a_watched_server_that_comes_back_is_used_before_its_time_is_over() -> None:
    """Breakers open for ten minutes; the server is back after moments."""
    settings = QUICK.model_copy(update={"breaker_open_s": 600.0, "breaker_open_max_s": 600.0})
    made = servers(1)
    async with Pool(made, settings) as pool:
        pool.watch("faulty", "1")
        made[0].away = True
        await until(lambda: states(pool) == [State.OPEN])
        made[0].away = False
        await until(lambda: states(pool) != [State.OPEN])
        await pool.infer(request())


async def test_the_signature_must_be_the_same_on_every_server() -> None:
    """A pool whose servers differ would score rows by chance."""
    made = servers(2)
    async with Pool(made, QUICK) as pool:
        assert await pool.signature("faulty", "1") == DOUBLES.signature
        made[0].away = True
        assert await pool.signature("faulty", "1") == DOUBLES.signature
        made[0].away = False
        other = Signature(DOUBLES.signature.inputs, (TensorSpec("y", "FP64", (-1, 1)),))
        made[1].models["faulty"] = ScriptedModel(other, DOUBLES.answer)
        with pytest.raises(errors.SignatureMismatch, match=r"not the same on a .* and on b"):
            await pool.signature("faulty", "1")
        with pytest.raises(errors.SignatureMismatch):
            await pool.metadata_digest("faulty", "1")


async def test_an_unknown_model_is_named_with_those_that_are_ready() -> None:
    """A misspelt name is seen at a glance."""
    async with Pool(servers(2), QUICK) as pool:
        with pytest.raises(errors.UnknownModel, match="'fautly' version 1; ready are: faulty"):
            await pool.signature("fautly", "1")


async def test_a_model_that_cannot_be_fed_rows_is_refused_as_such() -> None:
    """The server's own reason is what the caller sees."""
    fixed = ScriptedModel(
        Signature((TensorSpec("x", "FP32", (3,)),), (TensorSpec("y", "FP32", (3,)),)),
        DOUBLES.answer,
    )
    async with Pool([ScriptedServer("a", {"faulty": fixed})], QUICK) as pool:
        with pytest.raises(errors.SignatureMismatch, match="cannot be fed rows"):
            await pool.signature("faulty", "1")


async def test_no_reachable_server_says_what_to_set() -> None:
    """Each server with its own reason."""
    made = servers(2)
    for server in made:
        server.away = True
    async with Pool(made, QUICK) as pool:
        with pytest.raises(
            errors.PoolUnavailable, match=r"NIGHTSHIFT_TRITON_URLS.*a: conn.*b: conn"
        ):
            await pool.signature("faulty", "1")


def test_a_pool_is_made_of_the_servers_that_the_settings_name() -> None:
    """Nothing is connected before it is used."""
    pool = open_pool(QUICK)
    assert [server.url for server in pool.servers] == ["a", "b"]
    assert {type(server) for server in pool.servers} == {TritonServer}


async def test_random_faults_lose_no_request_and_leak_no_place() -> None:
    """A thousand requests over three servers that come and go."""
    made = servers(3)
    settings = QUICK.model_copy(update={"breaker_open_s": 0.02, "breaker_open_max_s": 0.05})

    async def torment() -> None:
        for turn in range(40):
            victim: ScriptedServer = made[turn % 3]
            victim.away = True
            victim.faults.append(errors.ServerOverloaded("queue", server=victim.url))
            await asyncio.sleep(0.005)
            victim.away = False

    async def ask(number: int) -> InferAnswer:
        await asyncio.sleep(number * 0.0002)
        while True:
            try:
                return await pool.infer(request(number))
            except errors.TransientError:
                await asyncio.sleep(0.02)

    async with Pool(made, settings) as pool:
        async with asyncio.TaskGroup() as group:
            group.create_task(torment())
            asked: Sequence[asyncio.Task[InferAnswer]] = [
                group.create_task(ask(number)) for number in range(1000)
            ]
        health = pool.health()
    scores = [task.result().outputs["y"].item() for task in asked]
    assert scores == [2.0 * number for number in range(1000)]
    assert [server.outstanding for server in health.servers] == [0, 0, 0]
    assert health.waiting == 0


async def test_probes_that_died_are_not_passed_over_in_silence() -> None:
    """A defect in a server's client shows when the pool is closed; servers are closed first."""

    class Defective(ScriptedServer):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            self.asked_for = asyncio.Event()

        async def model_ready(self, model: str, version: str) -> bool:
            self.asked_for.set()
            raise ValueError("a defect")

    made = Defective("a")
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with Pool([made], QUICK) as pool:
            pool.watch("faulty", "1")
            await made.asked_for.wait()
    assert made.closed


async def test_a_slow_model_makes_nobody_else_seem_to_wait() -> None:
    """How long a newcomer waits follows from what is in flight where it may go, model by model."""
    clock, subject = Clock(), ScriptedServer("a", {"slow": DOUBLES, "quick": DOUBLES})
    settings = LASTING.model_copy(update={"window_initial": 2, "window_max": 2})
    async with Pool([subject], settings, clock=clock) as pool:

        async def ask(model: str, took_s: float) -> None:
            subject.gate = asyncio.Event()
            asked = asyncio.create_task(pool.infer(replace(request(), model=model)))
            await until(lambda: subject.running == 1)
            clock.now += took_s
            subject.gate.set()
            await asked

        await ask("slow", 30.0)
        await ask("quick", 0.01)
        subject.gate = asyncio.Event()
        crowd = [
            asyncio.create_task(pool.infer(replace(request(priority=2), model="quick")))
            for _ in range(6)
        ]
        await until(lambda: pool.health().waiting == 4)
        assert pool.wait_s("quick", "1", priority=2) == pytest.approx(4 * 0.01 / 2)
        assert pool.wait_s("quick", "1", priority=1) == 0.0
        subject.gate.set()
        await asyncio.gather(*crowd)
