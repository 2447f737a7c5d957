"""The running operator: watching, queue, workers, Events, metrics and health. Decides nothing about connections."""
