"""A Singer tap that copies a storage API's collection, read over offset pages."""
