"""Tables of means as text: CSV, Markdown, LaTeX, the terminal, and values as files."""
