"""What holds for every test.

looptime's plugin makes an event loop before the first test that nobody closes, which a test would then be blamed for.
Hypothesis measures time, and the machine may be busy: no test has a deadline but its own.
"""

import asyncio

from hypothesis import settings

asyncio.set_event_loop(None)
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
