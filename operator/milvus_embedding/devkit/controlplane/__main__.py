"""`python -m milvus_embedding.devkit.controlplane`: prepare the programs and print where they are.

Exit status 0 with one `name path` line each on standard output, 1 with the reason on standard error, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from milvus_embedding.devkit.controlplane.assets import prepare
from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, Binary
from milvus_embedding.devkit.controlplane.errors import ControlPlaneError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, prepare, print; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m milvus_embedding.devkit.controlplane",
        description=f"Find or build {', '.join(DEFAULT_SET)} and print where they are.",
    )
    extras = [binary.value for binary in Binary if binary not in DEFAULT_SET]
    parser.add_argument("--extra", nargs="+", action="extend", default=[], choices=extras, help="more programs")
    options = parser.parse_args(arguments)
    try:
        binaries = prepare(binaries=[*DEFAULT_SET, *map(Binary, options.extra)])
    except ControlPlaneError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: programs that were finished are kept", file=sys.stderr)
        return 130
    for binary, path in sorted(binaries.paths.items()):
        print(binary, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
