"""From a query to hits: what was asked, two legs that answer, one fused list."""
