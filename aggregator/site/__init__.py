"""The door to the reader: values in, pages and feeds out, and the folder where they are published."""

from aggregator.site import folder
from aggregator.site.renderer import Renderer, Step

__all__ = ["Renderer", "Step", "folder"]
