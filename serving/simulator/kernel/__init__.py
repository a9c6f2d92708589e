"""A fleet without faults, compiled: ten million requests in a minute of CPU. Needs numba (the extra `fast`)."""

from serving.simulator.kernel.play import Played, can_play, is_compiled, play

__all__ = ["Played", "can_play", "is_compiled", "play"]
