"""Charts as records: what a chart shows, before anything is said of how it is drawn."""
