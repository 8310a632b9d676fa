"""Brings into the chart what has its source elsewhere: the CRDs, and a value for each setting of the operator.

`python tools/chart.py` writes; with --check it exits 1 if a file is not what it would write. With --helm PROGRAM it
also renders deploy/operator.yaml, the manifests of the chart's defaults for those who do not use Helm.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from milvus_embedding.runtime.settings import Setting, Settings, documentation

ROOT: Final = Path(__file__).resolve().parents[1]
CHART: Final = ROOT / "charts" / "milvus-embedding-operator"
MANIFEST: Final = ROOT / "deploy" / "operator.yaml"
NAMESPACE: Final = "milvus-embedding-system"
RELEASE: Final = "milvus-embedding-operator"

ELSEWHERE: Final = {
    "namespaces": "namespaces",
    "owner": "owner",
    "secret_selector": "secrets.selector",
    "health_address": "healthPort",
}
"""Settings whose value stands elsewhere, because more than the operator depends on it."""

_OTHER_DEFAULTS: Final[dict[str, tuple[Setting, str]]] = {
    "lease_name": ("", "name of the Lease; empty: that of the Deployment"),
    "lease_namespace": ("", "namespace of the Lease; empty: the release's"),
    "identity": ("", "name in the Lease, for a single replica only; empty: the pod's name and process"),
}
_BEGIN, _END = "  # BEGIN settings\n", "  # END settings\n"
_HEADER: Final = """\
# The operator with the default values of charts/milvus-embedding-operator, without CRDs (they are in crds/).
# Made by `make manifest`; do not edit.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--helm", type=Path)
    options = parser.parse_args()
    files = {**crds(), **settings()}
    if options.helm is not None:
        files[MANIFEST] = manifest(options.helm)
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if options.check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what its source says: run make docs", file=sys.stderr)
        return bool(stale)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    return 0


def crds() -> dict[Path, str]:
    """The chart's copies: Helm takes no files from outside of a chart."""
    return {
        CHART / "files" / "crds" / source.name: source.read_text(encoding="utf-8")
        for source in sorted((ROOT / "crds").glob("*.yaml"))
    }


def settings() -> dict[Path, str]:
    """values.yaml and its schema with the present settings in them."""
    values, schema = CHART / "values.yaml", CHART / "values.schema.json"
    before, _, rest = values.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    described = json.loads(schema.read_text(encoding="utf-8"))
    described["properties"]["settings"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(_schemas()),
    }
    return {
        values: f"{before}{_BEGIN}{''.join(_lines())}{_END}{after}",
        schema: json.dumps(described, indent=2) + "\n",
    }


def value_name(name: str) -> str:
    """How a setting is called below `settings`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _entries() -> Iterator[tuple[str, Setting, str]]:
    for name, _, default, meaning in documentation():
        if name not in ELSEWHERE:
            yield (name, *_OTHER_DEFAULTS.get(name, (default, meaning)))


def _lines() -> Iterator[str]:
    for name, default, meaning in _entries():
        shown = list(default) if isinstance(default, tuple) else default
        if isinstance(shown, float) and shown.is_integer():
            shown = int(shown)
        yield f"  # {meaning[0].upper()}{meaning[1:]}.\n  {value_name(name)}: {json.dumps(shown)}\n"


def _schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    hints = get_type_hints(Settings)
    for name, default, meaning in _entries():
        yield value_name(name), {"description": meaning, **_schema(default, get_args(hints[name]))}


def _schema(default: Setting, choices: tuple[object, ...]) -> dict[str, Any]:
    match default:
        case bool():
            return {"type": "boolean"}
        case tuple():
            return {"type": "array", "items": {"type": "string", "pattern": "^[^,]+$"}}
        case int():
            return {"type": "integer", "exclusiveMinimum": 0}
        case float():
            return {"type": "number", "exclusiveMinimum": 0}
        case _ if choices:
            return {"enum": [str(choice) for choice in choices]}
        case _:
            return {"type": "string"}


def manifest(helm: Path) -> str:
    """What `helm template` makes of the defaults, in a namespace of its own. Raises CalledProcessError."""
    arguments = ["template", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--set=crds.enabled=false"]
    rendered = subprocess.run([str(helm), *arguments], check=True, capture_output=True, text=True).stdout
    return f"{_HEADER}{_namespace()}{rendered}"


def _namespace() -> str:
    levels = "".join(f"    pod-security.kubernetes.io/{mode}: restricted\n" for mode in ("enforce", "warn"))
    return f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels:\n{levels}"


if __name__ == "__main__":
    sys.exit(main())
