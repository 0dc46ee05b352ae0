"""What a release leaves with its users, and each later one must go on from: states and catalogs, by version."""
