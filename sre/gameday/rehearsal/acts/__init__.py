"""Faults as a rehearsal has them: the same plan, act, proof, undo and recovery, in virtual time."""
