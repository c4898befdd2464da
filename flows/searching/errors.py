class SearchError(RuntimeError):
    """What keeps a search from going on, in one line."""
