"""What holds for every test: behaviour is asserted, never speed, so no example of Hypothesis has a time limit; and
Ctrl-C is Ctrl-C, also where the suite was started in the background of a shell, which has it ignored.
"""

import signal

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
