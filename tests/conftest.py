"""What holds for every test: behaviour is asserted, never speed, so no example of Hypothesis has a time limit."""

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
