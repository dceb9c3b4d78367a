"""Enhancers: where item vectors come from, and what world knowledge they carry."""
