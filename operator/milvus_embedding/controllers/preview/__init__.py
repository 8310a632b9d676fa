"""What a pass would do, told by the controllers that would do it: they look and decide, and nothing is changed."""
