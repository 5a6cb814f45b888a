"""What files are written with: whole files, Markdown tables, and the commit of the code that made them."""
