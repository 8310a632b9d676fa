"""`python -m milvus_embedding.devkit.demo`: ends with the line `demo passed`, or exits with 1 and says why."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final

import click

from milvus_embedding.devkit.controlplane import Binaries, ControlPlaneUnavailable, prepare
from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.demo import from_files, in_cluster
from milvus_embedding.devkit.demo.narration import DemoFailed, Narrator
from milvus_embedding.devkit.demo.quickstart import Changes, Quickstart
from milvus_embedding.devkit.demo.scene import Scene
from milvus_embedding.devkit.dev import KEY_VARIABLE
from milvus_embedding.devkit.milvus import PortTakenError
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.logs import configure

PASSED: Final = "demo passed"


@click.command()
@click.option(
    "--cluster",
    type=click.Choice(["auto", "none"]),
    default="auto",
    show_default=True,
    help="auto: a control plane on this machine, from files if there can be none. none: from files.",
)
@click.option("--keep", is_flag=True, help="Keep the temporary folder with data and logs.")
@click.option("--hold", is_flag=True, help="At the end keep everything running until Ctrl-C.")
def main(cluster: str, keep: bool, hold: bool) -> None:
    """Show the quickstart from empty to a text search, and check every part of it.

    With DASHSCOPE_API_KEY in the environment the real DashScope embeds, else a stand-in on this machine.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    narrator = Narrator(click.echo)
    workspace = Path(tempfile.mkdtemp(prefix="milvus-embedding-demo-"))
    logs = False
    try:
        _demonstrate(narrator, workspace, _binaries(narrator) if cluster == "auto" else None, hold=hold)
    except DemoFailed as error:
        logs = _fail(workspace, str(error))
    except PortTakenError as error:
        logs = _fail(workspace, f"{error}: somebody took it meanwhile, run the demo again")
    except Exception as error:
        (workspace / "traceback.log").write_text(traceback.format_exc(), encoding="utf-8")
        logs = _fail(workspace, f"unexpected {type(error).__name__}")
    finally:
        _clean(workspace, keep=keep, logs=logs)
    if logs:
        sys.exit(1)
    if keep:
        click.echo(f"\ndata and logs are kept in {workspace}")
    click.echo(f"\n{PASSED}")


def _binaries(narrator: Narrator) -> Binaries | None:
    try:
        with narrator.step("Find the control plane's programs, or build them"):
            return prepare(report=narrator.show)
    except ControlPlaneUnavailable as error:
        narrator.tell(f"\nThere is no control plane to be had here: {error}. What follows is the demo from files.")
        return None


def _demonstrate(narrator: Narrator, workspace: Path, binaries: Binaries | None, *, hold: bool) -> None:
    quickstart, scrubber = Quickstart.find(), Scrubber()
    with ExitStack() as stack:
        log = stack.enter_context((workspace / "demo.log").open("w", encoding="utf-8"))
        configure(as_json=False, level="info", scrubber=scrubber, stream=log)
        changes, keys = _changes(narrator, quickstart, stack)
        scene = Scene(
            narrator=narrator,
            quickstart=quickstart,
            changes=changes,
            workspace=workspace,
            keys=keys,
            scrubber=scrubber,
            hold=partial(_hold, narrator) if hold else lambda _: None,
        )
        if binaries is None:
            from_files.run(scene)
        else:
            in_cluster.run(scene, binaries)


def _hold(narrator: Narrator, what: str) -> None:
    with narrator.step("Everything keeps running: Ctrl-C ends it"):
        narrator.show(what)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _changes(narrator: Narrator, quickstart: Quickstart, stack: ExitStack) -> tuple[Changes, set[str]]:
    uri = f"http://127.0.0.1:{_free_port()}"
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if key:
        narrator.tell(f"DashScope is the real one, with the key of {KEY_VARIABLE} under both labels: calls cost money.")
        return Changes(uri=uri, key=key), {key}
    stand_in = stack.enter_context(DashScopeStandIn(quickstart.keys))
    narrator.tell(f"DashScope is a stand-in at {stand_in.url}; set {KEY_VARIABLE} to use the real one.")
    return Changes(uri=uri, url=stand_in.url), quickstart.keys


def _fail(workspace: Path, sentence: str) -> bool:
    click.echo(f"\ndemo failed: {sentence} (logs: {workspace})", err=True)
    return True


def _clean(workspace: Path, *, keep: bool, logs: bool) -> None:
    """Removes the temporary folder; after a failure all of it but logs, as the data may hold keys."""
    if keep:
        return
    if not logs:
        shutil.rmtree(workspace, ignore_errors=True)
        return
    for folder, _, names in os.walk(workspace, topdown=False):
        for name in names:
            if not name.endswith(".log"):
                (Path(folder) / name).unlink(missing_ok=True)
        if not any(Path(folder).iterdir()) and Path(folder) != workspace:
            Path(folder).rmdir()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
