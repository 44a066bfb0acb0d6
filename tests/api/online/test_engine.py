"""The engine over scripted servers: what answers, what is refused, what a fault costs a caller."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from api.online import port
from api.online.port import OnlineAnswer, OnlineName
from inference.breaker import State
from inference.errors import RequestRejected, ServerFault
from registry.routes import Share
from tests.api.online.conftest import Site, call, numbers_of, opened
from tests.inference.scripted import DOUBLES, ScriptedModel, until
from tests.inference.test_pool import AS_SHIPPED, LASTING, QUICK


async def route(site: Site, canaries: list[Share], shadow: Share | None = None) -> None:
    """Split the champion's requests."""
    await asyncio.to_thread(
        site.registry.routing.set_route, "flights", "champion", canaries=canaries, shadow=shadow
    )


async def test_names_lead_to_versions(site: Site) -> None:
    """Bare, by alias, by number, and one that only a server knows; the answer says which it was."""
    told = []
    for asked in (
        call(2.0),
        call(2.0, alias="champion"),
        call(2.0, version=2),
        call(2.0, model="triples"),
        call(2.0, model="doubles", version=1),
    ):
        answer = await site.engine.infer(asked)
        assert answer.server in ("a", "b")
        told.append((answer.model, answer.version, answer.variant, numbers_of(answer.outputs)))
    assert told == [
        ("flights", "1", "", [4.0]),
        ("flights", "1", "", [4.0]),
        ("flights", "2", "", [6.0]),
        ("triples", "1", "", [6.0]),
        ("doubles", "1", "", [4.0]),
    ]
    assert (
        site.count(
            "nightshift_online_requests_total",
            model="flights",
            version="1",
            variant="",
            outcome="ok",
        )
        == 2.0
    )


async def test_a_server_hears_what_the_caller_said(site: Site) -> None:
    """Undecoded inputs, the id, the trace, the priority and how long the queue may keep it."""
    await site.engine.infer(call(2.0, deadline_s=3.0))
    await site.engine.infer(call(2.0, priority=5))
    first, second = [r for s in site.servers.values() for r in s.asked]
    assert {first.priority, second.priority} == {1, 5}
    (raw,) = first.raw
    assert (raw.name, raw.datatype, raw.shape) == ("x", "FP32", (1, 1))
    assert isinstance(raw.content, memoryview)
    assert (first.request_id, first.traceparent, first.inputs) == ("r1", "00-1-2-01", {})
    assert sorted(r.queue_timeout_us // 1_000_000 for r in (first, second)) == [2, 29]


@pytest.mark.parametrize(
    ("default", "asked", "may_go_first", "told"),
    [
        (2, 0, False, 2),
        (2, 1, False, 2),
        (2, 1, True, 1),
        (2, 3, False, 3),
        (2, 3, True, 3),
        (0, 1, False, 0),
        (0, 1, True, 1),
    ],
)
async def test_only_who_may_goes_first(
    tmp_path: Path, default: int, asked: int, may_go_first: bool, told: int
) -> None:
    """Others go no earlier than those who ask for nothing, later if they like."""
    async with opened(tmp_path, "a", priority=default) as site:
        await site.engine.infer(call(2.0, priority=asked, may_go_first=may_go_first))
        (heard,) = site.servers["a"].asked
    assert heard.priority == told


@pytest.mark.parametrize(
    ("model", "alias", "version", "error", "words"),
    [
        ("nobody", None, None, port.NameUnknown, "unknown model 'nobody'.*no pool serves nobody"),
        ("doubles", "champion", None, port.NameUnknown, "unknown model 'doubles'"),
        ("flights", "next", None, port.NameUnknown, "no alias 'next'"),
        ("flights", None, 9, port.NameUnknown, "no version 9"),
        ("doubles", None, 9, port.NameUnknown, "no pool serves doubles@9"),
        ("flights", "champion", 1, port.CallRefused, "ask for one of them"),
    ],
)
async def test_names_that_lead_nowhere(
    site: Site,
    model: str,
    alias: str | None,
    version: int | None,
    error: type[Exception],
    words: str,
) -> None:
    """Are told apart from what is away, in the registry's words."""
    with pytest.raises(error, match=words):
        await site.engine.infer(call(model=model, alias=alias, version=version))
    assert sum(len(server.asked) for server in site.servers.values()) == 0


async def test_requests_are_split_by_their_key(site: Site) -> None:
    """The same key gets the same version; the answer says which and what it is to the alias."""
    await route(site, [Share(2, 5000)])
    found: dict[str, set[tuple[str, str]]] = {}
    for key in [f"user-{number}" for number in range(40)] * 2:
        answer = await site.engine.infer(call(1.0, key=key))
        assert numbers_of(answer.outputs) == [2.0 if answer.version == "1" else 3.0]
        found.setdefault(key, set()).add((answer.version, answer.variant))
    assert all(len(versions) == 1 for versions in found.values())
    counts = Counter(version for versions in found.values() for version in versions)
    assert set(counts) == {("1", "stable"), ("2", "canary")}
    assert min(counts.values()) >= 10
    asked = {"model": "flights", "outcome": "ok"}
    told = {
        (version, variant): site.count(
            "nightshift_online_requests_total", **asked, version=version, variant=variant
        )
        for version, variant in counts
    }
    assert told == {who: 2.0 * times for who, times in counts.items()}


async def test_a_request_may_pin_a_version_of_its_route(site: Site) -> None:
    """Also the shadow; nothing that is not of the route."""
    await route(site, [], Share(2, 1))
    answers = [await site.engine.infer(call(pinned=pinned)) for pinned in (1, 2)]
    assert [(each.version, each.variant) for each in answers] == [("1", "stable"), ("2", "shadow")]
    with pytest.raises(port.CallRefused, match="version 7 cannot be pinned"):
        await site.engine.infer(call(pinned=7))


async def test_a_shadow_is_compared_and_never_heard(site: Site) -> None:
    """Callers get the alias's version; the shadow's rows are counted as they agree."""
    await route(site, [], Share(2, 10_000))
    answer = await site.engine.infer(call(0.0, 1.0))
    assert (answer.version, answer.variant, numbers_of(answer.outputs)) == (
        "1",
        "stable",
        [0.0, 2.0],
    )
    await until(lambda: site.engine.shadow_counts("flights@champion", 2).rows == 2)
    counts = site.engine.shadow_counts("flights@champion", 2)
    assert (counts.copies, counts.agreed, counts.difference) == ({"compared": 1}, 1, 1.0)
    rows = {
        agreed: site.count(
            "nightshift_shadow_rows_total", model="flights", version="2", agreed=agreed
        )
        for agreed in ("yes", "no")
    }
    assert rows == {"yes": 1.0, "no": 1.0}


async def test_a_stuck_shadow_costs_callers_nothing(tmp_path: Path) -> None:
    """Copies that do not end are bounded, the ones after them dropped; no server is blamed."""
    async with opened(tmp_path, "a", shadow_most=3, shadow_timeout_s=2.0) as site:
        await route(site, [], Share(2, 10_000))
        server = site.servers["a"]
        server.hung.add("triples")
        for _ in range(50):
            answer = await site.engine.infer(call(1.0))
            assert numbers_of(answer.outputs) == [2.0]
        await until(lambda: site.engine.shadow_counts("flights@champion", 2).copies["failed"] >= 3)
        counts = site.engine.shadow_counts("flights@champion", 2)
        assert counts.copies["dropped"] >= 40
        pool = site.pools.pool("gpu")
        assert pool is not None
        assert (pool.health().failures, pool.health().overloads) == (0, 0)


async def test_a_caller_does_not_wait_until_a_shadow_is_found(tmp_path: Path) -> None:
    """It is placed nowhere, and a server that would have to be asked for it says nothing."""
    async with opened(tmp_path, "a") as site:
        await route(site, [], Share(2, 10_000))
        await site.pools.sync({"gpu": ["a"], "cpu": ["b"]})
        site.servers["b"].loaded.clear()
        await site.engine.infer(call(1.0, version=1))
        site.servers["b"].probe_timeout_s, site.servers["b"].silent = 3600.0, True
        answers = [await site.engine.infer(call(2.0)) for _ in range(3)]
        assert [numbers_of(answer.outputs) for answer in answers] == [[4.0]] * 3
        site.servers["b"].silent = False


async def test_shadows_leave_open_and_full_servers_alone(tmp_path: Path) -> None:
    """A copy is no probe, and is dropped where no server has room to spare."""
    settings = LASTING.model_copy(update={"window_initial": 1, "window_max": 1})
    async with opened(tmp_path, "a", "b", settings=settings, queue_s=3600.0) as site:
        await route(site, [], Share(2, 10_000))
        pool = site.pools.pool("gpu")
        assert pool is not None
        first, second = site.servers["a"], site.servers["b"]
        first.away = True
        await until(lambda: pool.health().servers[0].breaker is State.OPEN)
        told = site.engine.shadow_counts
        for number in range(1, 6):
            await site.engine.infer(call(1.0))
            while told("flights@champion", 2).copies.total() < number:
                await asyncio.sleep(0.001)
        assert told("flights@champion", 2).copies == {"compared": 5}
        second.gate = asyncio.Event()
        waiting = [asyncio.create_task(site.engine.infer(call(1.0))) for _ in range(2)]
        await until(lambda: pool.health().waiting == 1)
        assert pool.spare("triples", "1") is None
        second.gate.set()
        await asyncio.gather(*waiting)


async def test_a_shadow_that_answers_in_another_form_is_told(site: Site) -> None:
    """It agrees nowhere, and the comparison says why."""
    for server in site.servers.values():
        server.models["triples"] = ScriptedModel(
            DOUBLES.signature, lambda inputs: {"y": inputs["x"].ravel()}
        )
    await route(site, [], Share(2, 10_000))
    await site.engine.infer(call(0.0, 1.0))
    await until(lambda: site.engine.shadow_counts("flights@champion", 2).rows == 2)
    counts = site.engine.shadow_counts("flights@champion", 2)
    assert (counts.copies, counts.agreed, counts.difference) == ({"compared": 1}, 0, 0.0)
    assert counts.differs == "output 'y' differs in shape: [2, 1], then [2] of the shadow"


async def test_a_dead_server_costs_no_request(site: Site) -> None:
    """The other one answers, and the caller does not notice."""
    site.servers["a"].away = True
    answers = await asyncio.gather(*(site.engine.infer(call(1.0)) for _ in range(40)))
    assert {answer.server for answer in answers} == {"b"}


@pytest.mark.parametrize("stateful", [False, True])
async def test_a_hung_server_costs_half_of_the_time_but_for_models_with_a_state(
    tmp_path: Path, stateful: bool
) -> None:
    """The other server is asked as well, unless the model may not be asked twice at once."""
    async with opened(tmp_path, "a", "b", settings=AS_SHIPPED) as site:
        for server in site.servers.values():
            server.hung.add("doubles")
            server.stateful |= {"doubles"} if stateful else set()
        limit_s = 0.2 if stateful else 1.0
        asked = asyncio.create_task(site.engine.infer(call(2.0, deadline_s=limit_s)))
        await until(lambda: sum(server.running for server in site.servers.values()) == 1)
        for server in site.servers.values():
            if not server.running:
                server.hung.clear()
        if stateful:
            with pytest.raises(port.DeadlinePassed):
                await asked
        else:
            assert numbers_of((await asked).outputs) == [4.0]
        assert sum(len(server.asked) for server in site.servers.values()) == 2 - stateful


async def test_a_drained_server_gets_nothing_new(tmp_path: Path) -> None:
    """What it has it finishes; what waited for a place there goes elsewhere."""
    settings = AS_SHIPPED.model_copy(update={"window_initial": 1, "window_max": 1})
    async with opened(tmp_path, "a", settings=settings, queue_s=3600.0) as site:
        old = site.servers["a"]
        old.gate = asyncio.Event()
        held = asyncio.create_task(site.engine.infer(call(1.0)))
        await until(lambda: old.running == 1)
        waiting = [asyncio.create_task(site.engine.infer(call(1.0))) for _ in range(5)]
        pool = site.pools.pool("gpu")
        assert pool is not None
        await until(lambda: pool.health().waiting == 5)
        await site.pools.sync({"gpu": ["b"]})
        answers = await asyncio.gather(*waiting)
        assert {answer.server for answer in answers} == {"b"}
        old.gate.set()
        assert (await held).server == "a"
        assert len(old.asked) == 1


async def test_a_full_pool_says_so_at_once(tmp_path: Path) -> None:
    """Whoever would wait for too long is told when to come back; those before are answered."""
    settings = AS_SHIPPED.model_copy(update={"window_initial": 1, "window_max": 1})
    async with opened(tmp_path, "a", settings=settings, queue_s=0.05) as site:
        site.servers["a"].delay_s = 0.04
        await site.engine.infer(call(1.0))
        ends = await asyncio.gather(
            *(site.engine.infer(call(1.0)) for _ in range(20)), return_exceptions=True
        )
        answered = [end for end in ends if isinstance(end, OnlineAnswer)]
        refused = [end for end in ends if isinstance(end, port.PoolBusy)]
        assert len(answered) + len(refused) == 20
        assert 1 <= len(answered) <= 4
        assert all(end.retry_after_s >= 1 for end in refused)


async def test_a_caller_who_goes_cancels_the_request(site: Site) -> None:
    """On its server as well."""
    for server in site.servers.values():
        server.stuck = True
    asked = asyncio.create_task(site.engine.infer(call(1.0)))
    await until(lambda: sum(s.running for s in site.servers.values()) == 1)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert sum(server.cancelled for server in site.servers.values()) == 1


async def test_a_deadline_is_kept(tmp_path: Path) -> None:
    """Whatever the servers do, and neither is one of them blamed for a caller's hurry."""
    async with opened(tmp_path, "a", "b", settings=AS_SHIPPED) as site:
        for server in site.servers.values():
            server.stuck = True
        for _ in range(8):
            with pytest.raises(port.DeadlinePassed):
                await site.engine.infer(call(1.0, deadline_s=0.02))
        for server in site.servers.values():
            server.stuck = False
        assert (await site.engine.infer(call(1.0))).version == "1"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (RequestRejected("poison row", server="a"), port.CallRefused),
        (ServerFault("the kernel failed", server="a"), port.ServerFailed),
    ],
)
async def test_what_the_model_refuses_is_told(
    site: Site, fault: Exception, error: type[Exception]
) -> None:
    """In the server's own words."""
    for server in site.servers.values():
        server.always = fault  # type: ignore[assignment]  # each is an InferenceError
    with pytest.raises(error, match=str(fault)):
        await site.engine.infer(call(1.0))


async def test_a_pool_that_is_away_says_when_to_come_back(tmp_path: Path) -> None:
    """Every server down is 503, and no server at all as well."""
    async with opened(tmp_path, "a", settings=QUICK) as site:
        site.servers["a"].away = True
        with pytest.raises(port.PoolAway) as away:
            await site.engine.infer(call(1.0))
        assert away.value.retry_after_s >= 1
        await site.pools.sync({})
        with pytest.raises(port.PoolAway, match="no pool that has an active server"):
            await site.engine.infer(call(1.0))


async def test_an_explanation_is_what_happens(site: Site) -> None:
    """The version and the server that it names are those of the next request."""
    await route(site, [Share(2, 5000)])
    for number in range(20):
        key = f"user-{number}"
        told = await site.engine.explain(OnlineName("flights"), key=key, pinned=None)
        answer = await site.engine.infer(call(1.0, key=key))
        assert (told.version, told.variant) == (answer.version, answer.variant)
        assert told.why_version.startswith("its sticky key lies at ")
    site.servers["a"].away = True
    await asyncio.gather(*(site.engine.infer(call(1.0)) for _ in range(40)))
    told = await site.engine.explain(OnlineName("flights", "champion"), key="", pinned=2)
    assert (told.version, told.why_version, told.server) == ("2", "the request pins it", "b")
    assert told.why_server == "it is the only one that may be asked"
    assert [(each.server, bool(each.out)) for each in told.servers] == [("a", True), ("b", False)]
    assert [(o.version, o.variant, o.percent) for o in told.options] == [
        (1, "stable", 50.0),
        (2, "canary", 50.0),
    ]


async def test_models_are_described(site: Site) -> None:
    """By the registry where it knows them, else by a server; and ready, set up, counted, listed."""
    known = await site.engine.describe(OnlineName("flights"))
    assert (known.name, known.version, known.versions, known.platform) == (
        "flights",
        "1",
        ("1", "2"),
        "scripted",
    )
    served = await site.engine.describe(OnlineName("triples"))
    assert (served.name, served.version, served.versions) == ("triples", "", ("1",))
    assert served.inputs == known.inputs
    assert await site.engine.ready(OnlineName("flights", version=2))
    for server in site.servers.values():
        server.loaded.discard("triples")
    assert not await site.engine.ready(OnlineName("flights", version=2))
    assert (await site.engine.config(OnlineName("flights")))["name"] == "doubles"
    assert len(await site.engine.statistics(None)) == 2
    index = [(e.name, e.version, e.state) for e in await site.engine.index()]
    assert index == [("flights", "1", "READY"), ("flights", "2", "UNAVAILABLE")]


async def test_what_a_request_is_checked_against_is_told_in_its_time(tmp_path: Path) -> None:
    """Of a registered model without asking anybody; of others a herd asks once, as long as it may.

    While the servers are silent nobody waits longer than its own deadline.
    """
    async with opened(tmp_path, "a", "b") as site:
        flights, triples = OnlineName("flights"), OnlineName("triples")
        herd = await asyncio.gather(
            *(site.engine.expected(triples, within_s=60.0) for _ in range(30))
        )
        assert {(each.name, each.inputs) for each in herd} == {
            ("triples", DOUBLES.signature.inputs)
        }
        assert sum(server.described for server in site.servers.values()) == 2
        for server in site.servers.values():
            server.probe_timeout_s, server.silent = 3600.0, True
        known = await site.engine.expected(flights, within_s=None)
        assert (known.version, known.inputs) == ("1", DOUBLES.signature.inputs)
        doubles = OnlineName("doubles", version=1)
        with pytest.raises(port.DeadlinePassed, match="nobody says what doubles@1 takes"):
            await site.engine.expected(doubles, within_s=0.05)
        for server in site.servers.values():
            server.silent = False
