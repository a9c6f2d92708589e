"""Step times of real hardware from a request log of vLLM: read it, fit on a stated part, test on the rest.

The format is that of the benchmark runs of casys-kaist/LLMServingSim: one JSON object a request, beside it a file with
the engine's settings. How a log is replayed is the caller's: this package knows no simulator.
"""

from serving.profiles.fitting.document import gpu_named, profile_document
from serving.profiles.fitting.fit import Fit, FitSettings, Replayer, ReplayTimes, TestedRun, fit
from serving.profiles.fitting.likeness import other_limits, unlike
from serving.profiles.fitting.parts import PARTS, Part, PartName
from serving.profiles.fitting.request_log import RequestLog, Run, rate_in_words, read_run
from serving.profiles.fitting.score import MEASURES, STATISTICS, Comparison, worst
from serving.profiles.fitting.trial import Trial, try_run

__all__ = [
    "MEASURES",
    "PARTS",
    "STATISTICS",
    "Comparison",
    "Fit",
    "FitSettings",
    "Part",
    "PartName",
    "ReplayTimes",
    "Replayer",
    "RequestLog",
    "Run",
    "TestedRun",
    "Trial",
    "fit",
    "gpu_named",
    "other_limits",
    "profile_document",
    "rate_in_words",
    "read_run",
    "try_run",
    "unlike",
    "worst",
]
