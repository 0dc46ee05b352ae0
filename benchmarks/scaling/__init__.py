"""How fast a run is, and what bounds it: a model fitted on some measurements, and held against others."""
