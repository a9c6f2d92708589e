"""Clients that are the fault: more of them, worse ones, or ones that repeat themselves."""
