"""Fleet simulations judged and shown: SLOs, alerts, incident and cost of a run, and its page; sweeps with their front.

Nothing here is measured. Every table, file and page says so.
"""
