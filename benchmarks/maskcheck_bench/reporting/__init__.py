"""A report for people: Markdown, and a page with charts."""
