"""The door to the reader: values in, pages and feeds out, and the folder where they are published."""

from aggregator.site import folder
from aggregator.site.prose import Manner
from aggregator.site.renderer import Renderer, Step
from aggregator.site.sections import Asked, SearchHit, SearchHits
from aggregator.site.templating import Look, topics_of

__all__ = ["Asked", "Look", "Manner", "Renderer", "SearchHit", "SearchHits", "Step", "folder", "topics_of"]
