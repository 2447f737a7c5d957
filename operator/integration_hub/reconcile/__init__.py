"""The decisions: from inputs to a status. Pure: effects are yielded as data and done by the shell; no clock, no I/O."""
