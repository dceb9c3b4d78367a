"""Read users' tables strictly and within bounds: CSV, JSON Lines and Parquet, plain or gzipped."""
