"""The two kinds, conditions, reasons and the data that passes between layers. Pure: imports nothing of ours."""
