"""Alert tiers replayed over history, and scored where somebody knows when the incidents were.

Definitions, used everywhere in this package and in its reports:

- A tier is evaluated at start + step, start + 2 step ... end. An *episode* runs from the first evaluation that holds to
  the first that does not. One that holds at the first evaluation began at an unknown time (`from_start`), one that
  holds at the last has no reset; both are censored, never cut to a number.
- An episode is a *true positive* when it overlaps a label's [start, end + grace]; grace is stated with every result.
  Any number of episodes may fall into one incident: each is true, the incident is detected once. A page in nothing but
  incidents labelled `ticket` is a false alarm: somebody was woken for what could wait.
- *Precision* is true episodes / episodes. For a set (any page, any ticket) the firing times of its tiers are merged
  first: what overlaps reaches a person as one notification.
- *Recall* is incidents detected / incidents expected. A label of severity `page` is expected of page tiers, one of
  severity `ticket` of ticket tiers, one without severity of both; one with an SLO's name only of that SLO. A label that
  the data cuts off and that was not detected is neither hit nor miss.
- *Detection delay* runs from the label's start to the first evaluation that fires inside [start, end + grace]. Where an
  episode was firing already, the incident counts as detected and its delay as unknown.
- *Reset delay* runs from the label's end to the end of the last episode that overlaps it; unknown when that came before
  the label's end, has not come, or when another incident kept the alert firing.
- *Budget before detection* is the bad events of (start, detection] over what the period may have:
  budget x events x period / span replayed.

What cannot be said is `Measured(None, reason)`, never 0.
"""
