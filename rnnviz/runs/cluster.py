"""Many machines: slices on a Dask cluster. How to start one: docs/scaling.md. Dask is an extra nobody else needs."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Any

from rnnviz.errors import RnnvizError
from rnnviz.runs.engine import ready_to_compute

CONNECT_SECONDS = 20


def cluster_executor(address: str) -> Executor:
    """The executor of the cluster whose scheduler listens at `address`, its workers ready to compute.

    Raises:
        RnnvizError: if Dask is not installed here or nobody answers there.
    """
    try:
        from distributed import Client, WorkerPlugin
    except ImportError:
        raise RnnvizError(
            f"`RNNVIZ_SCHEDULER` needs Dask: pip install -r requirements-cluster.txt. Got {address!r}."
        ) from None

    class Ready(WorkerPlugin):  # type: ignore[misc, unused-ignore]
        """Prepares every worker of the cluster, also one that joins later."""

        name = "rnnviz"

        async def setup(self, worker: Any) -> None:
            await asyncio.to_thread(ready_to_compute)  # the worker goes on answering meanwhile

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="rnnviz")
    except (OSError, ValueError) as error:
        raise RnnvizError(
            f"`RNNVIZ_SCHEDULER` must be the address of a running scheduler, such as tcp://host:8786. Got {address!r}: "
            f"{error}."
        ) from None
    client.register_plugin(Ready())
    executor: Executor = client.get_executor(pure=False)  # a slice also depends on the clock
    return executor
