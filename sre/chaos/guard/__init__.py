"""The guard: watches service levels while a method is played, and takes every fault away when they go too far."""
