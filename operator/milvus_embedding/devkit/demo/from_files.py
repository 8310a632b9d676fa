"""The demo without Kubernetes: the same controllers over the manifests' files, and a Milvus that reads a folder."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.devkit.demo.application import show_configuration, use_collection
from milvus_embedding.devkit.demo.narration import DemoFailed, expect
from milvus_embedding.devkit.demo.scene import Scene
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.rendering.document import FILE_KEY
from milvus_embedding.files.directory import ConfigDirectory
from milvus_embedding.files.kube import FileKube
from milvus_embedding.files.manifests import Manifests
from milvus_embedding.files.report import table
from milvus_embedding.files.session import Result, Session

READY_SECONDS = 90.0


def run(scene: Scene) -> None:
    """Raises DemoFailed."""
    narrator = scene.narrator
    folder = ConfigDirectory(scene.workspace / "config")
    milvus = EmbeddedMilvus(scene.workspace / "data", folder.path, port=scene.port)
    with ExitStack() as stack:
        applying = _Applying(scene, folder)
        with narrator.step("Apply examples/quickstart: the configuration is written before Milvus starts"):
            applying.start()
            applying.until(applying.configured, "the configuration was not written")
            show_configuration(narrator, (folder.path / FILE_KEY).read_bytes(), scene.keys)
        with narrator.step("Start Milvus on that configuration"):
            # Milvus reads milvus.yaml, default.yaml and user.yaml; the link gives it ours as the last one.
            (folder.path / "user.yaml").symlink_to(FILE_KEY)
            stack.enter_context(milvus)
            narrator.show(milvus.uri)
        with narrator.step("Wait until everything is Ready"):
            applying.until(applying.ended, f"not everything was Ready within {READY_SECONDS:g} s")
            narrator.show(table(applying.results))
            unready = [result for result in applying.results if not result.is_ready]
            expect(not unready, "; ".join(f"{r.key} is not Ready: {r.reason}: {r.message}" for r in unready[:1]))
        use_collection(narrator, milvus.uri)
        with narrator.step("Apply the same files again: nothing may change"):
            before = milvus.changing_calls
            again = _Applying(scene, folder)
            again.start()
            again.until(again.ended, "the second run did not end")
            changed = milvus.changing_calls - before
            narrator.show(f"{changed} changing calls to Milvus")
            expect(changed == 0, f"the second run made {changed} changing calls to Milvus")
        scene.hold(f"Milvus: {milvus.uri}")


class _Applying:
    """`milvus-embedding apply` in a thread: `configured` when the configuration is there, `ended` at its end."""

    def __init__(self, scene: Scene, folder: ConfigDirectory) -> None:
        manifests = scene.quickstart.changed(scene.changes)
        self.results: tuple[Result, ...] = ()
        self.configured = threading.Event()
        self.ended = threading.Event()
        self._kube = FileKube(manifests, folder=(*_rendered_secret(manifests), _Told(folder, self.configured.set)))
        self._scrubber = scene.scrubber
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="apply", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def until(self, event: threading.Event, otherwise: str) -> None:
        """Waits for the event. Raises DemoFailed."""
        expect(event.wait(READY_SECONDS + 10), otherwise)
        expect(not self._failure, f"apply failed ({self._failure})")

    def _run(self) -> None:
        try:
            self.results = asyncio.run(Session(self._kube, self._scrubber).run(READY_SECONDS))
        except Exception as error:
            self._failure = type(error).__name__
        finally:
            self.configured.set()
            self.ended.set()


class _Told(ConfigDirectory):
    """Tells when it was written."""

    def __init__(self, folder: ConfigDirectory, written: Callable[[], None]) -> None:
        super().__init__(folder.path)
        self._written = written

    def write(self, data: Mapping[str, bytes]) -> None:
        super().write(data)
        self._written()


def _rendered_secret(manifests: Manifests) -> tuple[tuple[str, str], str]:
    for document in manifests.objects:
        if document.kind == MilvusConnection.KIND:
            connection = MilvusConnection.parse(document.body)
            return (connection.namespace, connection.secret_name or ""), connection.name
    raise DemoFailed("the example has no MilvusConnection")
