"""The files of a store: where they lie, how they are written, described and read."""
