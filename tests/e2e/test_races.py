"""Changes that come while the operator is at work on what came before: the last one counts, always."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from milvus_embedding.controllers.signals import COLLECTION_WORKERS
from tests.e2e.lab import eventually, path_of
from tests.e2e.stage import COLLECTION, CREDENTIAL, Stage

if TYPE_CHECKING:
    from tests.e2e.lab import Body

OBJECTS, ROTATIONS = 200, 20
# Each of them is another generation, and none of them changes anything in Milvus.
WHILE_HELD, WHILE_RUNNING = ("Report", "Enforce", "Ignore"), ("Report", "Enforce")
GENERATION = 1 + len(WHILE_HELD) + len(WHILE_RUNNING)


def test_no_object_ends_on_an_old_spec(stage: Stage, measured: dict[str, float]) -> None:
    """200 collections, each changed five times: three times while the pass that started from its first spec is held in
    the middle, and twice while the passes after it run.
    """
    stage.apply(stage.connection(), stage.secret(), stage.credential())
    stage.ready(CREDENTIAL)
    start = time.monotonic()

    with ThreadPoolExecutor(4) as threads:
        for first in range(0, OBJECTS, COLLECTION_WORKERS):
            names = [f"docs-{number:03}" for number in range(first, first + COLLECTION_WORKERS)]
            _create_and_change(stage, names, threads)

    measured[f"{OBJECTS} objects created and changed five times"] = time.monotonic() - start
    start = time.monotonic()
    eventually("every object is Ready with its last spec", lambda: not _behind(stage), within=60)
    measured[f"the last of {OBJECTS} objects Ready after the last change"] = time.monotonic() - start
    generations = [item["metadata"]["generation"] for item in stage.lab.list(COLLECTION, stage.namespace)]
    assert generations == [GENERATION] * OBJECTS
    assert stage.site.milvus.calls["CreateCollection"] == OBJECTS


def _create_and_change(stage: Stage, names: list[str], threads: ThreadPoolExecutor) -> None:
    """As many as are reconciled at a time."""
    api, everything = stage.lab.api, path_of(COLLECTION, stage.namespace)

    def change(policy: str) -> None:
        list(threads.map(lambda name: api.patch(f"{everything}/{name}", {"spec": {"driftPolicy": policy}}), names))

    with stage.site.milvus.faults.hold("DescribeCollection", times=len(names)) as gate:
        list(threads.map(lambda name: api.create(everything, stage.collection(name)), names))
        assert gate.wait_for_arrivals(len(names)), f"{gate.arrivals} of {len(names)} are being reconciled"
        for policy in WHILE_HELD:
            change(policy)
    for policy in WHILE_RUNNING:
        change(policy)
    eventually("this lot is Ready with its last spec", lambda: not _behind(stage), within=60)


def _behind(stage: Stage) -> list[str]:
    items = stage.lab.list(COLLECTION, stage.namespace)
    return [item["metadata"]["name"] for item in items if not _is_current(item)]


def test_the_last_of_many_rotations_is_rendered(stage: Stage) -> None:
    stage.bring_up()
    values = [stage.lab.new_key("rotated") for _ in range(ROTATIONS)]
    stage.site.dashscope.keys.update(values)
    secret = path_of("Secret", stage.namespace, "dashscope-dev")

    for value in values:
        stage.lab.api.patch(secret, {"stringData": {"apikey": value}})

    def rendered() -> str:
        data = stage.lab.secret_data(stage.namespace, "milvus-embedding-config") or {}
        return data["embedding.yaml"].decode()

    eventually("the last value is rendered", lambda: values[-1] in rendered(), within=15)
    stage.ready(CREDENTIAL)
    stage.ready(COLLECTION)
    text = rendered()
    assert values[-1] in text
    assert [value for value in (stage.key, *values[:-1]) if value in text] == []


def _is_current(item: Body) -> bool:
    status = item.get("status", {})
    ready: Body = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
    generation = item["metadata"]["generation"]
    return (
        status.get("observedGeneration") == generation
        and ready.get("observedGeneration") == generation
        and ready.get("status") == "True"
    )
