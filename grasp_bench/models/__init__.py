"""Backbones and enhancers; a recommender is one of each."""
