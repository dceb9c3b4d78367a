"""Backbones and enhancers; a recommender combines one of each."""
