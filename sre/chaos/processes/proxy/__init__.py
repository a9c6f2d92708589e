"""The fault proxy (`python -m sre.chaos.processes.proxy`): in front of a replica's gRPC port or a metrics page.

It needs no privilege and no kernel module, which is why it is how the network gets worse here: `tc netem` is absent
from many kernels, this project's own CI included. It leads to this machine only, and ends by itself.
"""
