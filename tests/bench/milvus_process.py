"""The embedded Milvus and the DashScope stand-in as one process, so that their work is not in the operator's GIL.

`python -m tests.bench.milvus_process DATA CONFIG KEY` prints one JSON line with its addresses, answers every line on
standard input with its counters as one JSON line, and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus


def main(data: Path, config: Path, key: str) -> None:
    with DashScopeStandIn([key]) as dashscope, EmbeddedMilvus(data, config, retry_backoff_seconds=0.05) as milvus:
        _say({"uri": milvus.uri, "url": dashscope.url})
        for _ in sys.stdin:
            _say({"calls": dict(milvus.calls), "changing": milvus.changing_calls})


def _say(message: object) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
