"""Does a deepfake detector survive super resolution? Train detectors, attack them, measure."""

__version__ = "0.2.0"
