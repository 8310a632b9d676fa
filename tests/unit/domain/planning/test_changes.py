"""Every field of the spec, set, changed, removed: the class of the change at four versions, and that it converges."""

import pytest

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.planning.acting import next_act
from milvus_embedding.domain.planning.capabilities import capabilities
from milvus_embedding.domain.planning.steps import Step
from tests.unit.domain.planning.changes import CHANGES
from tests.unit.domain.planning.scenes import VERSIONS, decided, performed, planned, standing


def told(step: Step) -> str:
    return f"{step.path} {step.class_}{'!' if step.unsupported else ''}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sentence", CHANGES)
def test_each_change_has_its_class(sentence: str, version: str) -> None:
    change = CHANGES[sentence]
    expected = change.expected[VERSIONS.index(version)]

    steps = [s for s in planned(change.after, standing(change.before), version).steps if s.action != "RenameCollection"]

    assert [told(s) for s in steps if s.path not in change.also] == ([expected] if expected else [])
    assert sorted(s.path for s in steps if s.path in change.also) == sorted(change.also)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sentence", CHANGES)
def test_what_the_server_can_do_converges_and_stays_quiet(sentence: str, version: str) -> None:
    change = CHANGES[sentence]

    have, _ = performed(change.after, standing(change.before), version)
    left = planned(change.after, have, version)

    stays = [
        s for s in left.steps if s.unsupported or s.class_ is ChangeClass.REBUILD or s.action == "RenameCollection"
    ]
    rebuilds = any(s.class_ is ChangeClass.REBUILD for s in left.steps)
    assert list(left.steps) == stays or rebuilds
    assert next_act(decided(left), have) is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sentence", CHANGES)
def test_taking_the_change_back_leaves_no_plan(sentence: str, version: str) -> None:
    change = CHANGES[sentence]
    have = standing(change.before)

    assert planned(change.before, have, version).steps == ()
    assert next_act(decided(planned(change.before, have, version)), have) is None


def test_a_model_of_equal_dimension_is_a_rebuild_at_every_version() -> None:
    change = CHANGES["the model changes at equal dimension"]
    for version in ("v2.3.5", *VERSIONS, "v3.1.4", "milvus_lite-3.2.2"):
        assert planned(change.after, standing(change.before), version).class_ is ChangeClass.REBUILD


def test_a_label_below_2_6_7_tells_which_version_could() -> None:
    change = CHANGES["a label changes"]
    (step,) = planned(change.after, standing(change.before), "v2.6.6").steps

    assert "2.6.6 cannot alter credential" in step.unsupported
    assert "2.6.7" in step.unsupported
    assert capabilities("v2.6.6").alters_functions is False
