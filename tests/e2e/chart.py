"""The chart as Helm renders it: what the end-to-end tests install, and the settings that their operators run with."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from milvus_embedding.devkit.controlplane import Binary, prepare
from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Body = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "milvus-embedding-operator"
RELEASE = "milvus-embedding-operator"
NAMESPACE = "milvus-embedding-system"
SECONDS = 60.0


class HelmFailed(Exception):
    """Helm ended with an error; the text is what it said."""


@functools.cache
def program() -> Path:
    """Helm itself, which may first have to be built."""
    return prepare(binaries=[*DEFAULT_SET, Binary.HELM]).path(Binary.HELM)


def helm(*arguments: str, values: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What Helm prints, with none of the user's own configuration. Raises HelmFailed."""
    with tempfile.TemporaryDirectory() as folder:
        # Without a kubeconfig, which a template does not need, it could still find the user's own.
        own = {f"HELM_{kind}_HOME": folder for kind in ("CACHE", "CONFIG", "DATA")} | {"KUBECONFIG": os.devnull}
        given = Path(folder) / "values.json"
        given.write_text(json.dumps(values or {}))
        command = [str(program()), *arguments, *((f"--values={given}",) if values is not None else ())]
        ended = subprocess.run(
            command,
            env={**os.environ, **own, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    if ended.returncode != 0:
        raise HelmFailed(ended.stderr)
    return ended.stdout


def render(
    values: Mapping[str, Any] | None = None, *, release: str = RELEASE, namespace: str = NAMESPACE
) -> list[Body]:
    """All objects of the chart with these values. Raises HelmFailed."""
    text = helm("template", release, str(CHART), f"--namespace={namespace}", values=values or {})
    return [body for body in yaml.safe_load_all(text) if body]


@functools.cache
def defaults() -> tuple[Body, ...]:
    """All objects of the chart with its default values."""
    return tuple(render())


def of_kind(bodies: Iterable[Body], *kinds: str) -> list[Body]:
    return [body for body in bodies if body["kind"] in kinds]


def container(bodies: Iterable[Body]) -> Body:
    """The operator's container in the Deployment."""
    (deployment,) = of_kind(bodies, "Deployment")
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    found: Body = only
    return found


def environment(bodies: Iterable[Body]) -> dict[str, str]:
    """The variables of that container, all of which are values."""
    return {variable["name"]: variable["value"] for variable in container(bodies)["env"]}


def without_pods(bodies: Iterable[Body]) -> list[Body]:
    """All but what would run: there is no container runtime, the tests start the operator as a process."""
    return [body for body in bodies if body["kind"] != "Deployment"]


def rules(bodies: Iterable[Body]) -> list[tuple[str, Body]]:
    """Namespace ("" for all) and rule of everything that the operator's account is bound to."""
    roles = {
        (b["kind"], b["metadata"].get("namespace", ""), b["metadata"]["name"]): b for b in of_kind(bodies, *_ROLES)
    }
    bound = []
    for binding in of_kind(bodies, "ClusterRoleBinding", "RoleBinding"):
        namespace = binding["metadata"].get("namespace", "")
        role = binding["roleRef"]
        key = (role["kind"], namespace if role["kind"] == "Role" else "", role["name"])
        bound += [(namespace, rule) for rule in roles[key]["rules"]]
    return bound


_ROLES = ("ClusterRole", "Role")
