"""examples/quickstart on the API server, with nothing replaced but the two addresses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

import yaml

from tests.e2e.lab import PLURALS, path_of

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from tests.e2e.lab import Body, Lab

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
QUICKSTART = EXAMPLES / "quickstart"
NAMESPACES = ("milvus", "search")
RENDERED = "milvus-embedding-config"


def documents(*files: Path) -> list[Body]:
    """The objects in manifests."""
    return [body for file in files for body in yaml.safe_load_all(file.read_text()) if body]


def keys(*files: Path) -> list[str]:
    """The API keys in the Secrets of manifests."""
    secrets = [body for body in documents(*files) if body["kind"] == "Secret"]
    return [key for secret in secrets for key in secret["stringData"].values()]


class Quickstart:
    """In a with statement: a Milvus and a stand-in for it; its end removes the objects again."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.keys = keys(QUICKSTART / "secrets.yaml")
        self.site = lab.site("milvus", secret=RENDERED, keys=tuple(self.keys))
        self.objects = [body for body in documents(*QUICKSTART.glob("*.yaml")) if body["kind"] in PLURALS]

    def __enter__(self) -> Self:
        self.site.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for namespace in NAMESPACES:
                for kind in (*PLURALS, "Event"):
                    self.lab.keep_evidence(kind, json.dumps(self.lab.list(kind, namespace), indent=1))
                for kind in (*PLURALS, "Secret"):
                    self.lab.api.delete(path_of(kind, namespace))
        finally:
            self.site.__exit__()

    def apply(self) -> CompletedProcess[str]:
        """kubectl apply -k of an overlay."""
        overlay = self.lab.directory / "overlay"
        overlay.mkdir(exist_ok=True)
        replace = [
            {"op": "replace", "path": "/spec/uri", "value": self.site.milvus.uri},
            {"op": "add", "path": "/spec/embedding/dashscope/url", "value": self.site.dashscope.url},
        ]
        kustomization = {
            "resources": [os.path.relpath(QUICKSTART.resolve(), overlay.resolve())],
            "patches": [{"target": {"kind": "MilvusConnection", "name": "milvus"}, "patch": json.dumps(replace)}],
        }
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return self.lab.plane.kubectl("apply", "-k", str(overlay))

    def wait_ready(self, *, within: float = 30.0) -> None:
        for body in self.objects:
            metadata = body["metadata"]
            self.lab.wait_ready(body["kind"], metadata["namespace"], metadata["name"], within=within)
