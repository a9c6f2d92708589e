"""The local platform under a virtual clock: live gateway, engine, autoscaler and supervisor; only time is simulated."""
