"""The worker: the Python side of an instance. Started by the platform, not imported by user code."""
