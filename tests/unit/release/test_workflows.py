"""The workflows: a job may do what it does and no more, nothing from outside becomes a script, no secret is in them."""

import re
from typing import Any

import pytest
import yaml

from tests.unit.release.locks import ROOT

FOLDER = ROOT / ".github" / "workflows"
# Everything that a job may be allowed to write, and the jobs that need it.
WRITES = {
    ("release.yaml", "image"): {"packages", "id-token", "attestations"},
    ("release.yaml", "chart"): {"packages", "id-token", "attestations"},
    ("release.yaml", "pypi"): {"id-token"},
    ("release.yaml", "notes"): {"contents"},
}
# "on" is a boolean in YAML 1.1.
ON: Any = True

Workflow = dict[Any, Any]


def workflow(name: str) -> Workflow:
    loaded: Workflow = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


WORKFLOWS = {path.name: workflow(path.name) for path in sorted(FOLDER.glob("*.yaml"))}
JOBS = [
    pytest.param(name, job, body, id=f"{name}: {job}")
    for name, one in WORKFLOWS.items()
    for job, body in one["jobs"].items()
]


def steps(body: Workflow) -> list[Workflow]:
    found: list[Workflow] = body.get("steps", [])
    return found


def test_there_are_two() -> None:
    assert sorted(WORKFLOWS) == ["ci.yaml", "release.yaml"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_without_a_word_a_job_may_only_read(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(("name", "job", "body"), JOBS)
def test_a_job_may_write_what_it_needs(name: str, job: str, body: Workflow) -> None:
    permissions = body.get("permissions", {})
    assert set(permissions.values()) <= {"read", "write"}
    assert {key for key, value in permissions.items() if value == "write"} == WRITES.get((name, job), set())


@pytest.mark.parametrize(("name", "job", "body"), JOBS)
def test_no_expression_is_put_into_a_script(name: str, job: str, body: Workflow) -> None:
    assert [step["run"] for step in steps(body) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize(("name", "job", "body"), JOBS)
def test_every_action_has_a_version_and_checkout_keeps_no_token(name: str, job: str, body: Workflow) -> None:
    uses = [step for step in steps(body) if "uses" in step]
    assert [
        s["uses"] for s in uses if not re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d[\w.]*|release/v1|[0-9a-f]{40})", s["uses"])
    ] == []
    for step in uses:
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_only_secret_is_the_workflow_s_own_token(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert set(re.findall(r"secrets\.(\w+)", text)) <= {"GITHUB_TOKEN"}
    assert "pull_request_target" not in text


def test_ci_runs_what_the_readme_says_and_a_release_runs_ci_first() -> None:
    runs = [step.get("run") for step in WORKFLOWS["ci.yaml"]["jobs"]["test"]["steps"]]
    jobs = WORKFLOWS["release.yaml"]["jobs"]

    assert "make test" in runs
    assert "workflow_call" in WORKFLOWS["ci.yaml"][ON]
    assert jobs["test"]["uses"] == "./.github/workflows/ci.yaml"
    publishing = [job for job in jobs if job not in ("test", "version")]
    assert [job for job in publishing if "test" not in needed(job, jobs)] == []


def test_where_the_tests_run_they_may_make_the_namespace_that_make_real_needs() -> None:
    runs = [step.get("run", "") for step in WORKFLOWS["ci.yaml"]["jobs"]["test"]["steps"]]

    assert runs.index("sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0") < runs.index("make test")


def needed(job: str, jobs: Workflow) -> set[str]:
    direct = jobs[job].get("needs", [])
    found = set([direct] if isinstance(direct, str) else direct)
    for other in list(found):
        found |= needed(other, jobs)
    return found


def test_what_is_published_is_signed_by_digest_and_its_origin_attested() -> None:
    jobs = WORKFLOWS["release.yaml"]["jobs"]
    for job in ("image", "chart"):
        signed = [step["run"] for step in jobs[job]["steps"] if "cosign sign" in step.get("run", "")]
        assert len(signed) == 1
        assert "DIGEST" in signed[0]
        assert any(step.get("uses", "").startswith("actions/attest-build-provenance@") for step in jobs[job]["steps"])
    [build] = [s for s in jobs["image"]["steps"] if s.get("uses", "").startswith("docker/build-push-action@")]
    assert build["with"]["platforms"] == "linux/amd64,linux/arm64"
    assert (build["with"]["sbom"], build["with"]["provenance"]) == (True, "mode=max")
    assert "PYTHON=${{ steps.base.outputs.image }}" in build["with"]["build-args"]


def test_a_chart_names_its_image_by_digest() -> None:
    jobs = WORKFLOWS["release.yaml"]["jobs"]
    [package] = [step["run"] for step in jobs["chart"]["steps"] if "helm package" in step.get("run", "")]

    assert jobs["chart"]["env"]["DIGEST"] == "${{ needs.image.outputs.digest }}"
    assert "digest: $DIGEST" in package
