"""The demo in a real control plane: kubectl, the operator as its own process, and a Milvus that mounts the Secret."""

import base64
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import milvus_embedding
from milvus_embedding.api.kinds import KINDS
from milvus_embedding.devkit.controlplane import Binaries, Binary, ControlPlane, ControlPlaneFailed, KubectlFailed
from milvus_embedding.devkit.demo.application import show_configuration, use_collection
from milvus_embedding.devkit.demo.narration import DemoFailed, expect
from milvus_embedding.devkit.demo.quickstart import Quickstart
from milvus_embedding.devkit.demo.scene import Scene
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.devkit.projection import MountFailedError, Projection, Watch
from milvus_embedding.domain.conditions import find
from milvus_embedding.domain.rendering.document import FILE_KEY
from milvus_embedding.validation.crds import crd_files

READY_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.25
_OPERATOR: Final = "operator"
_SECRET: Final = ("milvus", "milvus-embedding-config")
_PLURALS: Final = ",".join(kind.PLURAL for kind in KINDS.values())


def run(scene: Scene, binaries: Binaries) -> None:
    """Raises DemoFailed."""
    try:
        _run(scene, binaries)
    except (ControlPlaneFailed, KubectlFailed) as error:
        raise DemoFailed(str(error)) from None


def _run(scene: Scene, binaries: Binaries) -> None:
    narrator, workspace = scene.narrator, scene.workspace
    with ExitStack() as stack:
        with narrator.step("Start a control plane (etcd and kube-apiserver) on this machine"):
            plane = stack.enter_context(ControlPlane.start(binaries=binaries, directory=workspace / "control-plane"))
            narrator.show(f"{plane.url}\nkubectl --kubeconfig {plane.kubeconfig}")
        with narrator.step("Install the four kinds, and start the operator as a process of its own"):
            _install(plane)
            _start_operator(plane)
        with narrator.step("kubectl apply -k: examples/quickstart with the two addresses of this demo"):
            narrator.show(_apply(plane, scene))
        with narrator.step("The operator renders the Secret; Milvus mounts it and starts"):
            config = workspace / "config"
            projection = Projection(lambda: _secret(plane), config, "directory", items={FILE_KEY: "user.yaml"})
            _mount(projection, plane)
            stack.enter_context(Watch(projection))
            milvus = stack.enter_context(EmbeddedMilvus(workspace / "data", config, port=scene.port))
            show_configuration(narrator, (config / "user.yaml").read_bytes(), scene.keys)
        with narrator.step("Wait until everything is Ready, and look: kubectl get milvus -A"):
            _wait_ready(plane)
            narrator.show(plane.kubectl("get", "milvus", "--all-namespaces").stdout)
            _check_kinds(plane, scene.quickstart)
        use_collection(narrator, milvus.uri)
        command = f"{sys.executable} -m milvus_embedding status --kubeconfig {plane.kubeconfig}"
        kubectl = f"{binaries.path(Binary.KUBECTL)} --kubeconfig {plane.kubeconfig}"
        scene.hold(f"{kubectl} get milvus --all-namespaces\n{command}\nMilvus: {milvus.uri}")


def _install(plane: ControlPlane) -> None:
    files = [f"--filename={file}" for file in crd_files()]
    plane.kubectl("apply", *files)
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", *files)


def _start_operator(plane: ControlPlane) -> None:
    source = str(Path(milvus_embedding.__file__).resolve().parent.parent)
    command = [sys.executable, "-m", "milvus_embedding", "run", "--kubeconfig", str(plane.kubeconfig)]
    environment = {name: value for name, value in plane.environment().items() if name != "DASHSCOPE_API_KEY"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH", "")]))
    # What a Kubernetes client writes of a kubeconfig to temporary files goes with the rest of the demo.
    environment["TMPDIR"] = str(plane.directory)
    plane.start_process(
        _OPERATOR, [*command, "--health-address", "", "--log-format", "console"], environment=environment
    )


def _apply(plane: ControlPlane, scene: Scene) -> str:
    overlay = scene.workspace / "overlay"
    scene.quickstart.write_overlay(overlay, scene.changes)
    try:
        return plane.kubectl("apply", "--kustomize", str(overlay)).stdout
    finally:
        # It may hold a real key.
        shutil.rmtree(overlay)


def _secret(plane: ControlPlane) -> Mapping[str, bytes] | None:
    namespace, name = _SECRET
    got = plane.kubectl("get", "secret", name, f"--namespace={namespace}", "--output=json", check=False)
    if got.returncode != 0:
        return None
    return {key: base64.b64decode(value) for key, value in (json.loads(got.stdout).get("data") or {}).items()}


def _mount(projection: Projection, plane: ControlPlane) -> None:
    """As a pod: it does not start before its Secret is there."""

    def is_mounted() -> bool:
        expect(_OPERATOR in plane.pids, "the operator ended by itself")
        try:
            projection.on_restart()
        except MountFailedError:
            return False
        return True

    expect(_until(is_mounted, 60), f"the operator did not render the Secret {'/'.join(_SECRET)} within 60 s")


def _wait_ready(plane: ControlPlane) -> None:
    waited = plane.kubectl(
        "wait",
        _PLURALS,
        "--for=condition=Ready",
        "--all",
        "--all-namespaces",
        f"--timeout={READY_SECONDS}s",
        check=False,
        timeout=READY_SECONDS + 30,
    )
    if waited.returncode == 0:
        return
    for item in _objects(plane):
        ready = find(item.get("status") or {}, "Ready") or {}
        if ready.get("status") != "True":
            metadata = item["metadata"]
            name = f"{item['kind']} {metadata['namespace']}/{metadata['name']}"
            raise DemoFailed(f"{name} is not Ready: {ready.get('reason')}: {ready.get('message')}")
    raise DemoFailed(f"not everything was Ready within {READY_SECONDS} s")


def _check_kinds(plane: ControlPlane, quickstart: Quickstart) -> None:
    items = _objects(plane)
    for kind in KINDS:
        found = sorted(f"{i['metadata']['namespace']}/{i['metadata']['name']}" for i in items if i["kind"] == kind)
        expect(found == sorted(quickstart.names(kind)) and bool(found), f"of {kind} the cluster has {found}")


def _objects(plane: ControlPlane) -> list[Any]:
    return list(json.loads(plane.kubectl("get", "milvus", "--all-namespaces", "--output=json").stdout)["items"])


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(_POLL_SECONDS)
    return True
