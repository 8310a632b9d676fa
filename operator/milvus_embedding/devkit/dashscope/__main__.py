"""`python -m milvus_embedding.devkit.dashscope`: the stand-in as a process, until SIGTERM or Ctrl-C."""

import signal
import threading
from pathlib import Path

import click

from milvus_embedding.devkit.dashscope.server import DashScopeStandIn


@click.command()
@click.option("--port", default=0, show_default=True, help="Port on 127.0.0.1; 0 chooses a free one.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="File with the accepted API keys, one a line.",
)
def main(port: int, key_file: Path) -> None:
    """Answer DashScope's native text-embedding endpoint with vectors made from spelling."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    keys = {line.strip() for line in key_file.read_text(encoding="utf-8").splitlines() if line.strip()}
    with DashScopeStandIn(keys, port) as stand_in:
        click.echo(f"listening on {stand_in.url}")
        ended.wait()


if __name__ == "__main__":
    main()
