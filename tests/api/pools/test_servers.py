"""Servers over HTTP: believed when a Triton answers, drained, removed, seen as they are."""

import asyncio
import os
import signal

import pytest
from httpx import AsyncClient

from cli.stack.triton import LocalTriton
from tests.api.calls import created, deleted, kind_of, patched
from tests.api.conftest import OpenApi
from tests.conftest import TritonFactory
from tests.inference.test_addresses import REFUSED

NOBODY = "127.0.0.1:9"
SERVERS = "/v1/pools/night/servers"


async def test_an_address_is_checked_before_anything_connects(open_api: OpenApi) -> None:
    """Other spellings of a listening port, schemes, lists: nobody calls there."""
    calls = 0

    async def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    canary = await asyncio.start_server(called, "127.0.0.1", 0)
    port = canary.sockets[0].getsockname()[1]
    async with canary, open_api(NOBODY) as api:
        await created(api, "/v1/pools", {"name": "night"})
        for form in REFUSED:
            refused = await created(api, SERVERS, {"url": form.replace("8001", str(port))})
            assert refused.status_code == 422, form
        assert calls == 0
        believed = await created(api, SERVERS, {"url": f"127.0.0.1:{port}"})
        assert kind_of(believed) == (422, "server-not-believed")
        assert calls > 0
        assert (await api.get(SERVERS)).json()["items"] == []


async def test_one_of_many_changes_the_state_that_all_have_seen(open_api: OpenApi) -> None:
    """Sent at once with the same ETag: the first is done, the others are told what it is now."""
    path = f"/v1/pools/default/servers/{NOBODY}"
    async with open_api(NOBODY, check_timeout_s=0.2) as api:
        tag = (await api.get(path)).headers["etag"]
        answers = await asyncio.gather(
            *(patched(api, path, {"state": "draining"}, tag) for _ in range(4)),
            *(deleted(api, path, tag) for _ in range(4)),
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] in (200, 204)
    assert set(statuses[1:]) <= {404, 412}


@pytest.mark.triton
async def test_a_servers_life(open_api: OpenApi, triton_factory: TritonFactory) -> None:
    """Two real ones: what each serves is seen, a failure on one does not hide the other."""
    first = triton_factory(models=["linear"])
    second = triton_factory(models=[])
    async with open_api(NOBODY, check_timeout_s=1.0) as api:
        await created(api, "/v1/pools", {"name": "night"})
        for server in (first, second):
            made = await created(api, SERVERS, {"url": address(server)})
            assert made.status_code == 201
            assert made.headers["location"] == f"{SERVERS}/{address(server)}"
        taken = await created(api, "/v1/pools/default/servers", {"url": address(first)})
        assert kind_of(taken) == (409, "server-taken")
        await _sees(api, first, second)
        await _loads(api, first, second)
        await _drains(api, first)
        await _loses(api, second)


def address(server: LocalTriton) -> str:
    """Return what is registered of a server."""
    return server.grpc_url.removeprefix("grpc://")


async def _sees(api: AsyncClient, first: LocalTriton, second: LocalTriton) -> None:
    found = {each["url"]: each for each in (await api.get(SERVERS)).json()["items"]}
    assert set(found) == {address(first), address(second)}
    ready = {
        url: {entry["name"] for entry in server["serves"] if entry["state"] == "READY"}
        for url, server in found.items()
    }
    assert ready == {address(first): {"linear"}, address(second): set()}
    assert found[address(first)]["health"] == {
        "breaker": "closed",
        "outstanding": 0,
        "window": 4,
        "latency_s": 0.0,
    }


async def _loads(api: AsyncClient, first: LocalTriton, second: LocalTriton) -> None:
    draft = {"served_name": "linear", "pool": "night"}
    assert (await created(api, "/v1/models/linear/versions", draft)).status_code == 201
    path = "/v1/pools/night/versions/linear/1"
    loaded = (await api.put(path)).json()
    assert loaded["done"]
    servers = sorted([address(first), address(second)])
    assert [outcome["server"] for outcome in loaded["outcomes"]] == servers
    unloaded = (await api.delete(path)).json()
    assert unloaded["done"]
    os.kill(second.pid, signal.SIGSTOP)
    try:
        partial = (await api.put(path)).json()
    finally:
        os.kill(second.pid, signal.SIGCONT)
    assert not partial["done"]
    done = {outcome["server"]: outcome["done"] for outcome in partial["outcomes"]}
    assert done == {address(first): True, address(second): False}


async def _drains(api: AsyncClient, server: LocalTriton) -> None:
    path = f"{SERVERS}/{address(server)}"
    tag = (await api.get(path)).headers["etag"]
    drained = await patched(api, path, {"state": "draining"}, tag)
    assert drained.json()["state"] == "draining"
    assert kind_of(await patched(api, path, {"state": "active"}, tag)) == (412, "changed-meanwhile")
    again = await patched(api, path, {"state": "active"}, drained.headers["etag"])
    assert (again.json()["state"], again.json()["health"]["breaker"]) == ("active", "closed")
    assert kind_of(await api.delete(path)) == (428, "if-match-missing")
    assert (await deleted(api, path)).status_code == 204
    assert (await api.get(path)).json()["state"] == "removed"
    assert kind_of(await deleted(api, path)) == (404, "unknown-server")


async def _loses(api: AsyncClient, server: LocalTriton) -> None:
    """A killed server's breaker opens although nobody sends it requests."""
    os.kill(server.pid, signal.SIGKILL)
    async with asyncio.timeout(120):
        while True:
            found = (await api.get(f"{SERVERS}/{address(server)}")).json()
            if found["health"]["breaker"] != "closed":
                break
            await asyncio.sleep(0.2)
    assert found["serves"] is None
