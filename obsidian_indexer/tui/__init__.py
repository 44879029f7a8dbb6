"""The terminal screens: a menu, and one screen each to index, search, watch, look at the health and change settings."""
