"""Tables that users bring: CSV, JSON Lines and Parquet, plain or packed: read strictly, sizes bounded."""
