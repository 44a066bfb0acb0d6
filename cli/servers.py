"""Have the servers that scoring needs: the configured ones, or local ones for a command's life."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from cli.configured import check_prefect, check_triton
from cli.settings import LocalSettings
from cli.stack.errors import ModelFileGone
from cli.stack.prefect_server import LocalPrefect
from cli.stack.triton import LocalTriton
from inference.settings import InferenceSettings
from registry.domain import ModelVersion


@contextmanager
def servers(local: LocalSettings, *, models: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Give the servers that `NIGHTSHIFT_TRITON_URLS` or `PREFECT_API_URL` name; start the others.

    Yields the addresses of the Triton servers; one that is started here loads `models`. The
    environment of this process names all servers during the block, so Prefect must not have been
    imported before. Configured servers are looked for before others are started. Raises
    `StackError`.
    """
    urls = os.environ.get("NIGHTSHIFT_TRITON_URLS")
    api = os.environ.get("PREFECT_API_URL")
    if urls is not None:
        check_triton(InferenceSettings().triton_urls)
    if api is not None:
        check_prefect(api)
    before = dict(os.environ)
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        # Both take seconds, most of them waiting; each is stopped if the other fails.
        triton = prefect = None
        if urls is None:
            triton = local_triton(local, models=models)
            stack.callback(triton.stop)
        if api is None:
            prefect = local_prefect(local)
            stack.callback(prefect.stop)
        started = [threads.submit(server.start) for server in (triton, prefect) if server]
        for start in started:
            start.result()
        if triton is not None:
            os.environ["NIGHTSHIFT_TRITON_URLS"] = triton.grpc_url
        if prefect is not None:
            os.environ.update(prefect.client_environment())
        # People read our lines; Prefect's own go to its page.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        try:
            yield InferenceSettings().triton_urls
        finally:
            os.environ.clear()
            os.environ.update(before)


def check_here(model: ModelVersion, local: LocalSettings) -> None:
    """Raise `ModelFileGone` unless a server that is started here would find the model."""
    if "Triton" not in missing_servers():
        return
    folder = local.repository_dir.absolute() / model.served_name / model.served_version
    served = folder if model.artifact is None else folder / "model.onnx"
    if not served.exists():
        raise ModelFileGone(str(model), served)


def missing_servers() -> list[str]:
    """Return the names of the servers that `servers` would start."""
    wanted = {"Triton": "NIGHTSHIFT_TRITON_URLS", "Prefect": "PREFECT_API_URL"}
    return [name for name, setting in wanted.items() if setting not in os.environ]


@contextmanager
def triton_urls(settings: InferenceSettings, local: LocalSettings) -> Iterator[tuple[str, ...]]:
    """Give the addresses of the configured servers, or of one that runs as long as the block.

    Raises `StackError` when one of those does not answer, or that one cannot be started.
    """
    if "triton_urls" in settings.model_fields_set:
        check_triton(settings.triton_urls, every=True)
        yield settings.triton_urls
        return
    with local_triton(local, models=()) as server:
        yield (server.grpc_url,)


def local_triton(local: LocalSettings, *, models: Sequence[str]) -> LocalTriton:
    """Describe a Triton server on this machine's model repository."""
    local.repository_dir.mkdir(parents=True, exist_ok=True)
    return LocalTriton(
        local.repository_dir.absolute(),
        local.triton_env_dir,
        models=models,
        state_dir=local.servers_dir,
        # It keeps nothing: nobody waits the seconds that it takes to end in order.
        grace_s=0,
    )


def local_prefect(local: LocalSettings) -> LocalPrefect:
    """Describe the Prefect server whose history this machine keeps."""
    return LocalPrefect(local.data_dir / "prefect" / "server", template=local.prefect_template_dir)
