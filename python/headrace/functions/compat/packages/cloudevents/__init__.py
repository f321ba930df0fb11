"""Stands in for the package cloudevents where it is not installed."""
