"""Measurements: `python -m bench.loss` counts what collectors lose and store twice.

Map: `loss` (scenarios, table, command), `collectors` (four ways to collect), `machine` (the
computer that they run on: its clock, its deaths, its line to the simulated API), `stores` (a
storage in memory). Nothing here opens a socket or reads a clock: days pass in seconds.
"""
