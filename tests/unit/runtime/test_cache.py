"""The cache never goes back, knows our own echoes, and misses no change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.api.references import Key
from milvus_embedding.runtime.cache import Cache, key_of, version_of

KEY = Key("EmbeddingFunction", "ns", "f")


def body(
    version: int, *, generation: int = 1, uid: str = "u1", status: str = "", **metadata: object
) -> dict[str, object]:
    meta = {"name": "f", "namespace": "ns", "uid": uid, "generation": generation, "resourceVersion": str(version)}
    ready = [{"type": "Ready", "status": status, "reason": "Ready", "message": ""}] if status else []
    return {
        "metadata": {**meta, **metadata},
        "spec": {"dashscope": {"model": f"model-{generation}"}},
        "status": {"conditions": ready},
    }


def cache() -> Cache:
    return Cache(signal=lambda resource: resource.metadata.generation)


def finished(c: Cache, version: int = 1) -> None:
    c.put(KEY, body(version), watched=True)
    entry = c.get(KEY)
    assert entry is not None
    c.finished(KEY, entry)


def test_a_first_sight_is_a_change_of_everything() -> None:
    change = cache().put(KEY, body(1), watched=True)
    assert change.essence
    assert change.signal


@pytest.mark.parametrize(
    ("later", "essence", "signal"),
    [
        pytest.param(body(2, status="True"), False, False, id="an echo of our status write is no change"),
        pytest.param(body(2, generation=2), True, True, id="a changed spec is"),
        pytest.param(body(2, annotations={"a": "b"}), True, False, id="an annotation is one for the object alone"),
        pytest.param(body(2, labels={"a": "b"}), True, False, id="a label too"),
        pytest.param(body(2, finalizers=["x"]), True, False, id="a finalizer too"),
        pytest.param(body(2, deletionTimestamp="2026-01-01T00:00:00Z"), True, False, id="a deletion too"),
        pytest.param(body(2, uid="u2"), True, True, id="another life of the name is a change of everything"),
        pytest.param(body(1, generation=2), False, False, id="the same version is none, whatever it holds"),
        pytest.param(body(0, generation=2), False, False, id="an older version is none"),
    ],
)
def test_what_is_new_after_a_finished_reconcile(later: dict[str, object], essence: bool, signal: bool) -> None:
    c = cache()
    finished(c)
    change = c.put(KEY, later, watched=True)
    assert (change.essence, change.signal) == (essence, signal)


def test_a_change_back_to_an_unfinished_state_is_not_taken_for_an_echo() -> None:
    c = cache()
    finished(c)
    c.unfinished(KEY)
    assert c.put(KEY, body(2, status="True"), watched=True).essence


def test_a_change_that_came_while_a_reconcile_ran_is_not_hidden_by_its_end() -> None:
    c = cache()
    c.put(KEY, body(1), watched=True)
    started_from = c.get(KEY)
    assert started_from is not None
    c.put(KEY, body(2, generation=2), watched=True)
    c.finished(KEY, started_from)
    assert c.put(KEY, body(3, generation=2), watched=True).essence


def test_an_answer_to_our_own_write_is_not_what_the_watch_told() -> None:
    c = cache()
    c.put(KEY, body(1), watched=True)
    c.put(KEY, body(5, status="True"), watched=False)
    entry = c.get(KEY)
    assert entry is not None
    assert (entry.version, entry.watched) == (5, 1)
    c.put(KEY, body(5, status="True"), watched=True)
    entry = c.get(KEY)
    assert entry is not None
    assert (entry.version, entry.watched) == (5, 5)


def test_a_late_sight_of_a_removed_object_does_not_bring_it_back() -> None:
    c = cache()
    c.put(KEY, body(1), watched=True)
    c.remove(KEY, "u1")
    assert c.put(KEY, body(9), watched=False).entry is None
    assert c.get(KEY) is None
    assert c.put(KEY, body(10, uid="u2"), watched=True).entry is not None


def test_the_deletion_of_an_earlier_life_removes_nothing() -> None:
    c = cache()
    c.put(KEY, body(7, uid="u2"), watched=True)
    assert c.remove(KEY, "u1") is None
    assert c.get(KEY) is not None


def test_an_object_that_cannot_be_parsed_is_kept_with_its_problem_and_without_its_values() -> None:
    c = cache()
    broken = body(1) | {"spec": {"dashscope": {"model": 17, "dim": "sk-secret-value"}}}
    entry = c.put(KEY, broken, watched=True).entry
    assert entry is not None
    assert entry.resource is None
    assert "spec.dashscope" in entry.problem
    assert "sk-secret-value" not in entry.problem
    assert entry.generation == 1


def test_what_only_doubles_an_object_is_not_kept() -> None:
    c = cache()
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"}
    entry = c.put(KEY, body(1, annotations=annotations, managedFields=[{}]), watched=True).entry
    assert entry is not None
    assert dict(entry.metadata.annotations) == {"mine": "1"}


@given(versions=st.lists(st.integers(1, 50), min_size=1))
def test_whatever_the_order_of_sights_the_newest_version_stays(versions: list[int]) -> None:
    c = cache()
    for version in versions:
        c.put(KEY, body(version, generation=version), watched=True)
    entry = c.get(KEY)
    assert entry is not None
    assert (entry.version, entry.generation) == (max(versions), max(versions))


def test_keys_and_versions_of_bodies() -> None:
    assert key_of("EmbeddingFunction", body(3)) == KEY
    assert version_of(body(3)) == 3
    assert version_of({"metadata": {"resourceVersion": "opaque"}}) == 0
    assert version_of({}) == 0
