"""`sre serve`: Alertmanager's webhook notifications become incidents.

The sender may repeat itself, speak twice (a pair for high availability), out of order, or fall silent. What is already
known adds nothing; what was never said to have ended is never taken to have ended.
"""
