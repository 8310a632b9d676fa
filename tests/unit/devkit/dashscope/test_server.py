"""The stand-in over HTTP: keys at run time, faults, holds, a record without keys, and a clean end."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from milvus_embedding.devkit.dashscope import DashScopeStandIn, RateLimit

KEY = "sk-secret-0123456789"


@pytest.fixture
def stand_in() -> Iterator[DashScopeStandIn]:
    with DashScopeStandIn({KEY}) as server:
        yield server


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


def post(http: httpx.Client, url: str, *, key: str = KEY, model: str = "text-embedding-v3") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return http.post(url, headers=headers, json={"model": model, "input": {"texts": ["hello"]}, "parameters": {}})


def test_it_embeds_over_one_kept_connection(stand_in: DashScopeStandIn, http: httpx.Client) -> None:
    responses = [post(http, stand_in.url) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 200]
    assert len({response.json()["request_id"] for response in responses}) == 3
    assert stand_in.usage["text-embedding-v3"] == 6


def test_keys_come_and_go_at_run_time(stand_in: DashScopeStandIn, http: httpx.Client) -> None:
    assert post(http, stand_in.url, key="new").status_code == 401
    stand_in.keys.add("new")
    stand_in.keys.discard(KEY)
    assert post(http, stand_in.url, key="new").status_code == 200
    assert post(http, stand_in.url).json()["code"] == "InvalidApiKey"
    assert post(http, stand_in.url, key="").status_code == 401


def test_the_record_of_calls_does_not_show_keys(stand_in: DashScopeStandIn, http: httpx.Client) -> None:
    post(http, stand_in.url)
    assert [(call.model, call.texts, call.text_type, call.status) for call in stand_in.calls] == [
        ("text-embedding-v3", 1, "document", 200)
    ]
    assert KEY not in repr(stand_in.calls) + repr(stand_in)


def test_ordered_failures_come_once_each(stand_in: DashScopeStandIn, http: httpx.Client) -> None:
    stand_in.fail_next(400, "Arrearage", "Access denied, please make sure your account is in good standing.")
    stand_in.fail_next(500, "InternalError", times=2)
    assert [post(http, stand_in.url).status_code for _ in range(4)] == [400, 500, 500, 200]


def test_the_rate_limit_answers_429(http: httpx.Client) -> None:
    with DashScopeStandIn({KEY}, rate_limit=RateLimit(requests=1), clock=lambda: 0.0) as stand_in:
        assert post(http, stand_in.url).status_code == 200
        assert post(http, stand_in.url).json()["code"] == "Throttling.RateQuota"


def test_a_held_call_waits_for_its_release(stand_in: DashScopeStandIn, http: httpx.Client) -> None:
    done: list[int] = []
    with stand_in.hold() as gate:
        thread = threading.Thread(target=lambda: done.append(post(http, stand_in.url).status_code))
        thread.start()
        assert gate.wait_for_arrivals(1)
        assert done == []
    thread.join()
    assert done == [200]


def test_stopping_ends_held_calls_and_a_new_start_keeps_the_port(http: httpx.Client) -> None:
    stand_in = DashScopeStandIn({KEY}).start()
    gate = stand_in.hold()
    thread = threading.Thread(target=lambda: _ignore_failure(http, stand_in.url))
    thread.start()
    assert gate.wait_for_arrivals(1)
    port = stand_in.port
    stand_in.stop()
    thread.join()
    with stand_in:
        assert stand_in.port == port
        assert post(http, stand_in.url).status_code == 200


def _ignore_failure(http: httpx.Client, url: str) -> None:
    try:
        post(http, url)
    except httpx.HTTPError:
        return


def test_the_compatible_mode_path_is_not_served(stand_in: DashScopeStandIn, http: httpx.Client) -> None:
    base = stand_in.url.split("/api/")[0]
    assert post(http, f"{base}/compatible-mode/v1").status_code == 404


def test_it_runs_as_a_process_until_terminated(tmp_path: Path, http: httpx.Client) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n\n", encoding="utf-8")
    command = [sys.executable, "-m", "milvus_embedding.devkit.dashscope", "--key-file", str(keys)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        assert post(http, url).status_code == 200
        process.terminate()
        assert process.wait(timeout=20) == 0
