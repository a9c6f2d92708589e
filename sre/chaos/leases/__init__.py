"""The life of a fault from the line that is written before it to the one that says it is over, and who ends it."""
