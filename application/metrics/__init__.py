"""Metrics of devices: taking down what is reported."""
