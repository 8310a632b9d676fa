"""What holds for every test.

looptime's plugin makes an event loop before the first test that nobody closes, which a test would then be blamed for.
Hypothesis measures time, and the machine may be busy: no test has a deadline but its own. CI repeats the same examples
in each run; a developer's machine looks for new ones.
"""

import asyncio
import os

from hypothesis import settings

asyncio.set_event_loop(None)
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")
