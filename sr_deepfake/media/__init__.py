"""Whole photos and videos: their faces are found, attacked and put back, and nothing else changes."""

from sr_deepfake.media.image import attack_image

__all__ = ["attack_image"]
