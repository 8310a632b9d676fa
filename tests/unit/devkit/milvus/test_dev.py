"""`milvus-embedding dev up`: a Milvus that embeds, with nothing but Python."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pymilvus import MilvusClient

from milvus_embedding.devkit.dev import DevSettings, dev, milvus_yaml, run_dev
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.devkit.milvus.builders import Workspace, ali, create_docs


def test_it_embeds_with_both_labels_out_of_the_box() -> None:
    said: list[str] = []

    def use(uri: str) -> None:
        client = MilvusClient(uri=uri, dedicated=True)
        for label in ("apikey_dev", "apikey_prod"):
            create_docs(client, label, function=ali(credential=label))
        client.close()

    run_dev(DevSettings(milvus_port=0), use, say=said.append)
    assert any("stand-in" in line for line in said)


def test_data_are_kept_in_the_users_folder(tmp_path: Path) -> None:
    def make(uri: str) -> None:
        client = MilvusClient(uri=uri, dedicated=True)
        create_docs(client)
        client.close()

    def look(uri: str) -> None:
        client = MilvusClient(uri=uri, dedicated=True)
        assert client.list_collections() == ["docs"]
        client.close()

    for use in (make, look):
        run_dev(DevSettings(milvus_port=0, data=tmp_path / "data"), use, say=id)


def test_the_users_own_milvus_yaml_is_read(workspace: Workspace) -> None:
    workspace.write({"mine": "sk-dev-0001"})

    def use(uri: str) -> None:
        client = MilvusClient(uri=uri, dedicated=True)
        create_docs(client, function=ali(credential="mine"))
        client.close()

    run_dev(DevSettings(milvus_port=0, config_dir=workspace.config), use, say=id)


def test_a_real_key_goes_to_the_real_service_and_is_not_shown() -> None:
    said: list[str] = []
    settings = DevSettings(milvus_port=0, api_key="sk-very-secret")
    run_dev(settings, lambda uri: None, say=said.append)
    assert "the real one" in said[0]
    assert "sk-very-secret" not in "".join(map(str, said)) + repr(settings)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True), st.text("aZ9-'\"#: ", min_size=1), min_size=1
    )
)
def test_the_generated_milvus_yaml_holds_exactly_the_keys(keys: dict[str, str]) -> None:
    document = yaml.load(milvus_yaml(keys, url="http://127.0.0.1:1/x"), Loader=yaml.BaseLoader)
    assert {label: entry["apikey"] for label, entry in document["credential"].items()} == keys
    provider = document["function"]["textEmbedding"]["providers"]["dashscope"]
    assert provider == {"credential": next(iter(keys)), "url": "http://127.0.0.1:1/x"}


def test_the_command_is_there() -> None:
    assert list(dev.commands) == ["up"]


def test_ctrl_c_ends_it_well() -> None:
    command = [sys.executable, "-c", "from milvus_embedding.devkit.dev import dev; dev()", "up", "--milvus-port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    environment.pop("DASHSCOPE_API_KEY", None)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Press Ctrl-C" in line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_a_taken_port_is_told_with_the_option_to_change(workspace: Workspace) -> None:
    with EmbeddedMilvus(workspace.data, workspace.config) as milvus:
        result = CliRunner().invoke(dev, ["up", "--milvus-port", str(milvus.port)])
    assert result.exit_code == 1
    assert "--milvus-port" in result.output
