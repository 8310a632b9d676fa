"""Renders docs/reference.md from crds/ and the settings, so that the reference cannot differ from what is served.

`python tools/reference.py` writes it; with --check it exits 1 if the file is not what it would write.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from milvus_embedding.runtime.settings import documentation

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "reference.md"
ORDER = ("milvusconnections", "embeddingcredentials", "embeddingfunctions", "milvuscollections")

Schema = Mapping[str, Any]


def main() -> int:
    text = "\n".join(page()) + "\n"
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("docs/reference.md is not what crds/ and the settings say: run make docs", file=sys.stderr)
    return 1


def page() -> Iterator[str]:
    yield "# Reference\n"
    yield "Made from `crds/` and the settings by `make docs`; do not edit.\n"
    for name in ORDER:
        yield from kind(yaml.safe_load((ROOT / "crds" / f"{name}.yaml").read_text(encoding="utf-8")))
    yield from settings()


def kind(crd: Schema) -> Iterator[str]:
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    short = ", ".join(f"`{name}`" for name in names.get("shortNames", ()))
    yield f"## {names['kind']}\n"
    yield f"`{crd['spec']['group']}/{version['name']}`, short name {short}. {one_line(schema.get('description', ''))}\n"
    for part in ("spec", "status"):
        yield f"### {names['kind']} {part}\n"
        yield "| field | type | default | meaning |\n|---|---|---|---|"
        yield from rows(schema["properties"][part], part)
        yield ""
        if rules := list(messages(schema["properties"][part])) if part == "spec" else []:
            yield "Refused at `kubectl apply`:\n"
            yield from (f"- {text}" for text in rules)
            yield ""


def rows(schema: Schema, path: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        default = "required" if name in required else default_of(inner)
        yield f"| `{here}` | {type_of(inner)} | {default} | {one_line(inner.get('description', ''))} |"
        yield from rows(inner, here)
        if inner.get("type") == "array":
            yield from rows(inner["items"], f"{here}[]")


def default_of(schema: Schema) -> str:
    if "default" not in schema:
        return ""
    return f"`{json.dumps(schema['default'])}`".replace('"', "")


def type_of(schema: Schema) -> str:
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema['items'])}"
    limits = (("minimum", "at least"), ("maximum", "at most"))
    bounds = [f"{word} {schema[key]}" for key, word in limits if key in schema]
    return ", ".join([str(schema.get("type", "any")), *bounds])


def messages(schema: Schema) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield one_line(rule.get("message", rule["rule"]))
    for inner in schema.get("properties", {}).values():
        yield from messages(inner)
    if "items" in schema:
        yield from messages(schema["items"])


def settings() -> Iterator[str]:
    yield "## Settings of the operator\n"
    yield "| option of `milvus-embedding run` | variable | default | meaning |\n|---|---|---|---|"
    for name, variable, default, meaning in documentation():
        shown = "" if default in ("", (), None) else f"`{default}`"
        yield f"| `--{name.replace('_', '-')}` | `{variable}` | {shown} | {one_line(meaning)} |"


def one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
