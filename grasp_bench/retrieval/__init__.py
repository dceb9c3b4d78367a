"""Nearest neighbours by cosine, exact or by graph, and the means of their embeddings (the paper's eq. 2)."""
