"""`milvus-embedding dev up`: a Milvus with DashScope functions on this machine, without containers or an account.

With DASHSCOPE_API_KEY in the environment the real DashScope embeds; else a stand-in does, from the spelling of texts.
It does not run the operator: point `milvus-embedding apply --milvus` or a MilvusConnection at the address it prints.
"""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from milvus_embedding.devkit.dashscope.server import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus, PortTakenError

LABELS = ("apikey_dev", "apikey_prod")
QUICKSTART_KEYS = ("REPLACE-WITH-YOUR-DEV-KEY", "REPLACE-WITH-YOUR-PROD-KEY")
"""The placeholders of examples/quickstart, which the stand-in takes too."""
KEY_VARIABLE = "DASHSCOPE_API_KEY"
_EXAMPLE = """\
Try it:

    from pymilvus import DataType, Function, FunctionType, MilvusClient

    client = MilvusClient("{uri}")
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("document", DataType.VARCHAR, max_length=9000)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=1024)
    schema.add_function(Function(
        name="ali", function_type=FunctionType.TEXTEMBEDDING,
        input_field_names=["document"], output_field_names=["dense"],
        params={{"provider": "dashscope", "model_name": "text-embedding-v3", "credential": "{label}"}},
    ))
    index = client.prepare_index_params()
    index.add_index("dense", index_type="AUTOINDEX", metric_type="COSINE")
    client.create_collection("notes", schema=schema, index_params=index)
    client.insert("notes", [{{"id": 1, "document": "Milvus searches by vectors"}}])
    print(client.search("notes", data=["search by vector"], output_fields=["document"]))
"""


@dataclass(frozen=True, slots=True)
class DevSettings:
    """Where to listen and where to keep things. Without `data` a temporary folder is used and removed at the end;
    without `config_dir` a milvus.yaml with the labels of LABELS is made. `api_key`: a real key, "" for the stand-in.
    """

    milvus_port: int = 19530
    dashscope_port: int = 0
    data: Path | None = None
    config_dir: Path | None = None
    api_key: str = field(default="", repr=False)


def milvus_yaml(keys: Mapping[str, str], *, url: str) -> str:
    """The two sections of the manual's Option 1, the first label being the provider's default."""
    lines = ["credential:"]
    for label, key in keys.items():
        lines += [f"  {label}:", f"    apikey: '{key.replace(chr(39), chr(39) * 2)}'"]
    lines += [
        "function:",
        "  textEmbedding:",
        "    providers:",
        "      dashscope:",
        f"        credential: {next(iter(keys))}",
    ]
    if url:
        lines.append(f"        url: '{url}'")
    return "\n".join(lines) + "\n"


def run_dev(settings: DevSettings, wait: Callable[[str], object], *, say: Callable[[str], object] = click.echo) -> None:
    """Starts everything, tells how to use it, and stops everything when `wait(uri)` returns. Raises PortTakenError."""
    with ExitStack() as stack:
        workspace = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="milvus-embedding-dev-")))
        config_dir, url = (settings.config_dir, "") if settings.config_dir else _config(settings, workspace, stack, say)
        data = settings.data or workspace / "data"
        environment = {"MILVUS_DASHSCOPE_API_KEY": settings.api_key} if settings.api_key else {}
        milvus = stack.enter_context(EmbeddedMilvus(data, config_dir, env=environment, port=settings.milvus_port))
        say(f"Milvus       {milvus.uri}")
        say(f"milvus.yaml  {config_dir} (read again when it changes)")
        say(f"data         {data}{'' if settings.data else ' (removed at the end)'}\n")
        option = f" --dashscope {url}" if url else ""
        say(f"Apply manifests to it:\n\n    milvus-embedding apply -f DIR --milvus {milvus.uri}{option}\n")
        say(_EXAMPLE.format(uri=milvus.uri, label=LABELS[0]))
        say("Press Ctrl-C to stop.")
        wait(milvus.uri)


def _config(settings: DevSettings, workspace: Path, stack: ExitStack, say: Callable[[str], object]) -> tuple[Path, str]:
    """The folder with a milvus.yaml, and the stand-in's endpoint ("" for the real DashScope)."""
    if settings.api_key:
        keys, url = dict.fromkeys(LABELS, settings.api_key), ""
        say(f"DashScope    the real one, with the key of {KEY_VARIABLE}: calls cost money")
    else:
        keys = {label: f"sk-dev-{label.removeprefix('apikey_')}" for label in LABELS}
        stand_in = stack.enter_context(DashScopeStandIn({*keys.values(), *QUICKSTART_KEYS}, settings.dashscope_port))
        url = stand_in.url
        say(f"DashScope    a stand-in at {url}")
    config_dir = workspace / "config"
    config_dir.mkdir(mode=0o700)
    (config_dir / "milvus.yaml").write_text(milvus_yaml(keys, url=url), encoding="utf-8")
    return config_dir, url


@contextmanager
def _end_signal() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM within the block, so that neither cuts a start or an end in half."""
    ended = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, lambda *_: ended.set()) for number in numbers]
    try:
        yield ended
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)


@click.group()
def dev() -> None:
    """Tools for developers; they need the extra `devkit`."""


@dev.command()
@click.option("--milvus-port", default=19530, show_default=True, help="Port on 127.0.0.1; 0 chooses a free one.")
@click.option("--dashscope-port", default=0, show_default=True, help="Port of the stand-in; 0 chooses a free one.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep the data in; without it they are gone at the end.",
)
@click.option(
    "--config-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with your own rendered milvus.yaml; without it one with two labels is made.",
)
def up(milvus_port: int, dashscope_port: int, data: Path | None, config_dir: Path | None) -> None:
    """Run a local Milvus with DashScope functions until Ctrl-C.

    With DASHSCOPE_API_KEY in the environment texts go to the real DashScope, else to a stand-in on this machine.
    """
    settings = DevSettings(milvus_port, dashscope_port, data, config_dir, api_key=os.environ.get(KEY_VARIABLE, ""))
    try:
        with _end_signal() as ended:
            run_dev(settings, lambda _: ended.wait())
    except PortTakenError as error:
        raise click.ClickException(f"{error} (--milvus-port)") from None
