"""What is said of users and items before it is embedded: filled templates or texts written elsewhere."""
