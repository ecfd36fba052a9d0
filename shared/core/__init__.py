"""Pure decisions: no clock, environment, log, network or SDK; values in, values out."""
