"""Texts of users and items to embed: filled templates, answers of language models, or texts from files."""
