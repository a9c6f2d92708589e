"""A run of an experiment: let in, played by the real `chaos run`, looked at again after its rollbacks."""
