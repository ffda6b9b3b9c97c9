"""A report as one HTML file: what is read, how it is laid out, how it is written."""
