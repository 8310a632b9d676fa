"""`status`: what is refused before an API server is asked; the rest is in tests/unit/overview and tests/e2e."""

from pathlib import Path

import pytest
import yaml

from tests.unit.cli.process import Command

CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "search"}}],
    "current-context": "here",
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(CONFIG))
    return file


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        pytest.param(["-n", "a", "-A"], 2, "-n and -A do not go together", id="one namespace and all"),
        pytest.param(["docs"], 2, "'docs' is no object: write kind/name, with mconn, ", id="a name without a kind"),
        pytest.param(["pod/x"], 2, "'pod/x' is no object", id="another kind"),
        pytest.param(["--context", "there"], 1, "has no context there; it has here", id="an unknown context"),
        pytest.param([], 1, "the API server: GET /apis/embedding.milvus.io/v1alpha1/namespaces/search/", id="nobody"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(
    command: Command, kubeconfig: Path, arguments: list[str], status: int, told: str
) -> None:
    ended = command("status", "--kubeconfig", kubeconfig, *arguments)
    assert (ended.status, ended.out) == (status, "")
    assert told in ended.err
