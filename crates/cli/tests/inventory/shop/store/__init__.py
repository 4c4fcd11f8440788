from .cache import Cache, Counter
