"""`python -m milvus_embedding.devkit.milvus`: the embedded Milvus as a process, until SIGTERM or Ctrl-C."""

import os
import signal
import threading
from pathlib import Path

import click

from milvus_embedding.devkit.milvus import EmbeddedMilvus, PortTakenError
from milvus_embedding.devkit.milvus.base import DEFAULT_VERSION
from milvus_embedding.devkit.milvus.provider import KEY_VARIABLES


@click.command()
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the data.")
@click.option(
    "--config-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder with milvus.yaml, default.yaml and user.yaml; later ones win.",
)
@click.option("--port", default=19530, show_default=True, help="Port on 127.0.0.1; 0 chooses a free one.")
@click.option("--version", default=DEFAULT_VERSION, show_default=True, help="The version to report and to behave as.")
def main(data: Path, config_dir: Path, port: int, version: str) -> None:
    """Serve Milvus' protocol with embedding functions, configured by the files of a real Milvus."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    names = (*KEY_VARIABLES, *(name for name in os.environ if name.lower().startswith(("milvus_conf_", "credential"))))
    environment = {name: os.environ[name] for name in names if name in os.environ}
    try:
        with EmbeddedMilvus(data, config_dir, env=environment, port=port, version=version) as milvus:
            click.echo(f"listening on {milvus.uri}")
            ended.wait()
    except PortTakenError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
