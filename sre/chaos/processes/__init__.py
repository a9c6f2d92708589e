"""Programs that are a fault while they run. Each finds its end in its environment and needs nobody to be ended."""
