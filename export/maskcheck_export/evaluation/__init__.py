"""How well a classifier does on labelled faces: metrics, calibration, slices, plots, report."""
