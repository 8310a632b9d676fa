"""The CRDs on a real API server: it takes them (cost limits of CEL included) and decides as the offline validator."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.devkit.controlplane import ControlPlane
from tests.contract.cases import ALLOWED_CHANGES, BASES, BROKEN_RULES, REFUSED_CHANGES, Case, changed

if TYPE_CHECKING:
    from subprocess import CompletedProcess

ROOT = Path(__file__).resolve().parents[2]
INVALID = sorted((ROOT / "examples" / "invalid").glob("*.yaml"))
NAMESPACES = ("milvus", "search")


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """An API server with our kinds, the two namespaces, and the valid objects under the names that the cases use."""
    control_plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
    for namespace in NAMESPACES:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        control_plane.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(manifest))
    for base in BASES:
        control_plane.kubectl("apply", "-f", "-", input=json.dumps(base))
    yield control_plane
    # the control plane is shared with tests that run an operator
    for base in BASES:
        control_plane.kubectl("delete", "-f", "-", input=json.dumps(base))


def _decide(api: ControlPlane, verb: str, body: Mapping[str, object]) -> "CompletedProcess[str]":
    return api.kubectl(verb, "--dry-run=server", "-f", "-", input=json.dumps(body), check=False)


@pytest.mark.parametrize("case", BROKEN_RULES.values(), ids=BROKEN_RULES.keys())
def test_a_broken_rule_is_refused_with_its_message(api: ControlPlane, case: Case) -> None:
    # that the object exists already is looked at after validation
    answer = _decide(api, "create", case.body)

    assert answer.returncode != 0
    assert case.message in answer.stderr


@pytest.mark.parametrize("case", REFUSED_CHANGES.values(), ids=REFUSED_CHANGES.keys())
def test_a_change_of_what_is_immutable_is_refused(api: ControlPlane, case: Case) -> None:
    answer = _decide(api, "replace", case.body)

    assert answer.returncode != 0
    assert case.message in answer.stderr


@pytest.mark.parametrize("case", ALLOWED_CHANGES.values(), ids=ALLOWED_CHANGES.keys())
def test_a_change_of_what_may_change_is_admitted(api: ControlPlane, case: Case) -> None:
    answer = _decide(api, "replace", case.body)

    assert answer.stderr == ""


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_a_counter_example_is_decided_as_its_first_line_says(api: ControlPlane, file: Path) -> None:
    head = file.read_text().split("\n", 1)[0]

    answer = api.kubectl("apply", "--dry-run=server", "-f", str(file), check=False)

    if head.startswith("# refused: "):
        assert answer.returncode != 0
        assert head.removeprefix("# refused: ") in answer.stderr
    else:
        assert answer.stderr == ""


def test_the_quickstart_is_admitted_as_it_is(api: ControlPlane) -> None:
    answer = api.kubectl("apply", "--dry-run=server", "-k", str(ROOT / "examples" / "quickstart"))

    assert answer.stdout.count("\n") == 9


def test_a_refused_password_is_not_repeated(api: ControlPlane) -> None:
    refused = BROKEN_RULES["a uri with a password"]
    uri = "http://root:hunter2@milvus:19530/path?x"

    answer = _decide(api, "create", changed(refused.base, {"spec.uri": uri}))

    assert answer.returncode != 0
    assert "hunter2" not in answer.stderr


def test_a_new_object_counts_as_unseen(api: ControlPlane) -> None:
    answer = api.kubectl("get", "mcol", "docs", "-n", "search", "-o", "jsonpath={.status}")

    assert json.loads(answer.stdout) == {"observedGeneration": -1}


@pytest.mark.parametrize("name", ["mconn", "ecred", "efn", "mcol", "milvus"])
def test_short_names_and_the_category_list_objects(api: ControlPlane, name: str) -> None:
    answer = api.kubectl("get", name, "-A")

    assert "REASON" in answer.stdout


def test_applying_the_crds_again_changes_nothing(api: ControlPlane) -> None:
    before = api.kubectl("get", "crd", "-o", "jsonpath={.items[*].metadata.generation}").stdout

    api.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))

    assert api.kubectl("get", "crd", "-o", "jsonpath={.items[*].metadata.generation}").stdout == before
