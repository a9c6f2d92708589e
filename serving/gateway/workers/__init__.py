"""A gateway of several processes: a coordinator owns what there must be one of, workers carry the bytes."""
