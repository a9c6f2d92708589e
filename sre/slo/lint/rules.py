"""Every rule of the lint, in one table: its number never changes and is never used again for something else.

What the reader of documents refuses already (a short window as long as the long one, a budget share that does
not fit, an alert that tells nobody) is no rule.
Numbers go by subject: 00x tiers, 01x buckets, 02x metrics, 03x sides of a ratio, 04x ratios of ratios, 05x time,
06x traffic, 07x documents, 08x the lint itself.
"""

from __future__ import annotations

from sre.slo.lint.model import Rule

TIER_NEVER_FIRES = Rule(
    "SLO001",
    "tier-never-fires",
    "error",
    "documents",
    "A tier's factor is at or above 1 / (1 - target) (a warning for one of the workbook's, when another one pages).",
    "burn cannot exceed 1 / (1 - target), which is every event failing: the alert stays silent in a full outage",
)
TIER_ON_SOUND_BUDGET = Rule(
    "SLO002",
    "tier-fires-on-sound-budget",
    "warning",
    "documents",
    "A page's factor is below 1, or a ticket's at or below 0.5.",
    "a burn below 1 leaves budget at the period's end: people are called while the objective is being met",
)
SHORT_BELOW_SCRAPES = Rule(
    "SLO003",
    "short-window-below-two-scrapes",
    "error",
    "source",
    "A short window holds less than two scrapes.",
    "a window with one sample has no increase: the condition is never true, or flickers with the scrape's jitter",
)
FOR_LONGER_THAN_SHORT = Rule(
    "SLO004",
    "for-longer-than-short-window",
    "warning",
    "documents",
    "alertAfter is longer than the tier's short window.",
    "the windows already say how long a fault lasted; waiting longer delays the page and drops shorter outages",
)
FIRES_AFTER_EXHAUSTION = Rule(
    "SLO005",
    "tier-fires-after-exhaustion",
    "error",
    "documents",
    "factor x long window / period is 1 or more.",
    "when the long window has burnt at the factor, the whole period's budget is gone already",
)
OFF_BUCKET = Rule(
    "SLO010",
    "threshold-off-bucket-bound",
    "error",
    "catalogue",
    "A latency threshold is no bucket bound of its histogram.",
    "events between the two bounds around it cannot be told good from bad, and a rule that selects it finds no series",
)
BOUND_SPELLING = Rule(
    "SLO011",
    "bucket-bound-spelling",
    "warning",
    "source",
    "The bound exists, but its le is spelt differently.",
    'le is text to PromQL: "1" does not match "1.0", so generated rules would find no series',
)
UNKNOWN_METRIC = Rule(
    "SLO020",
    "metric-unknown",
    "error",
    "catalogue",
    "The source, or the exporter by the catalogue, has no such metric.",
    "without its metric the indicator has no data, and no alert fires without data",
)
UNCHECKED_METRIC = Rule(
    "SLO021",
    "metric-unchecked",
    "warning",
    "catalogue",
    "No catalogue knows the metric and no source was asked.",
    "a misspelt name is found only when an alert stays silent",
)
RENAMED_METRIC = Rule(
    "SLO022",
    "metric-renamed",
    "warning",
    "catalogue",
    "The metric is known under another name in other versions of its exporter.",
    "this kit reads either name, but generated rules and dashboards hold the one written here",
)
WRONG_TYPE = Rule(
    "SLO023",
    "metric-wrong-type",
    "error",
    "catalogue",
    "A gauge, a _sum, a bare histogram or a _bucket without le is counted as events; or a counter taken for a gauge.",
    "what is counted are not events, so the ratio means nothing",
)
MISSING_TOTAL = Rule(
    "SLO024",
    "total-suffix-missing",
    "error",
    "catalogue",
    "The counter's series ends with _total.",
    "client libraries add _total when they expose a counter; without it nothing matches",
)
RETIRED_METRIC = Rule(
    "SLO025",
    "metric-retired",
    "warning",
    "catalogue",
    "The exporter dropped the metric without a successor of the same meaning.",
    "after the next upgrade the indicator has no data",
)
CANNOT_COUNT_FAILURES = Rule(
    "SLO030",
    "cannot-count-failures",
    "error",
    "catalogue",
    "The total of an availability ratio does not see every failure. Milder when it sees some, and when sre/caveat says "
    "so.",
    "failures that are in neither side make the ratio better than what users got; in a crash it can be perfect",
)
NOT_A_SUBSET = Rule(
    "SLO031",
    "side-not-in-total",
    "error",
    "documents",
    "good or bad selects series that total does not.",
    "the ratio can exceed 1, or fall below 0: burn and budget are then wrong, not merely imprecise",
)
UNKNOWN_LABEL = Rule(
    "SLO032",
    "label-unknown",
    "error",
    "catalogue",
    "The metric does not have a label that the selector asks for.",
    "the selector matches nothing, and nothing matching counts as no events: a bad side that is always 0",
)
UNSEEN_VALUE = Rule(
    "SLO033",
    "label-value-unknown",
    "error",
    "catalogue",
    "A label never has a value that the selector asks for.",
    "the selector matches nothing, and nothing matching counts as no events: a bad side that is always 0",
)
SIDES_IDENTICAL = Rule(
    "SLO034",
    "sides-identical",
    "error",
    "documents",
    "good (or bad) and total select the same.",
    "the ratio is 1 (or 0) whatever happens",
)
MEAN_OF_RATIOS = Rule(
    "SLO040",
    "mean-of-ratios",
    "error",
    "documents",
    "A raw ratio is budgeted by Occurrences.",
    "each sample of the ratio counts the same, with one request behind it or a thousand: an idle replica hides a "
    "broken one",
)
RATIO_AS_EVENTS = Rule(
    "SLO041",
    "ratio-as-events",
    "error",
    "documents",
    "A metric that is a ratio, an average or a percentile is counted as events.",
    "averages and percentiles of replicas cannot be added up or averaged again",
)
BEYOND_RETENTION = Rule(
    "SLO050",
    "window-beyond-retention",
    "error",
    "source",
    "A window or the budget period is longer than the source keeps samples.",
    "what is older than the retention counts as nothing: the budget looks fuller than it is",
)
BEYOND_HISTORY = Rule(
    "SLO051",
    "period-beyond-history",
    "warning",
    "source",
    "The source holds less than half a budget period of this SLI.",
    "budget and burn cover only what was observed; figures for the period are those of a shorter one",
)
PRACTICALLY_SILENT = Rule(
    "SLO060",
    "tier-practically-silent",
    "warning",
    "source",
    "At this traffic, a burn at the tier's factor brings fewer bad events than its guard asks for.",
    "the low-traffic guard keeps the tier silent until burn is far above its factor",
)
ONE_FAILURE_PAGES = Rule(
    "SLO061",
    "one-failure-fires",
    "warning",
    "source",
    "The guard is off and at this traffic a single bad event reaches the factor.",
    "people are called for one failed request",
)
RUNBOOK_MISSING = Rule(
    "SLO070",
    "runbook-file-missing",
    "error",
    "documents",
    "The annotation sre/runbook names a file that is not there.",
    "alerts link to it; whoever is woken follows a dead link",
)
NO_RUNBOOK = Rule(
    "SLO071",
    "no-runbook",
    "warning",
    "documents",
    "An SLO has no annotation sre/runbook.",
    "its alerts cannot say what to do",
)
CONTRADICTORY = Rule(
    "SLO072",
    "objectives-contradict",
    "error",
    "documents",
    "A looser threshold has a lower target than a stricter one.",
    "whoever is within the stricter threshold is within the looser one: the looser objective promises less than the "
    "stricter already does, so one of the two is mistyped",
)
BAD_IGNORE = Rule(
    "SLO080",
    "ignore-without-reason",
    "warning",
    "documents",
    "An entry of sre/lint-ignore names no known rule or gives no reason; it is not followed.",
    "an exception nobody explained stays for good",
)

RULES: tuple[Rule, ...] = tuple(
    sorted((value for value in list(globals().values()) if isinstance(value, Rule)), key=lambda rule: rule.id)
)
BY_ID = {rule.id: rule for rule in RULES}
