"""``python -m maskcheck``: the command, where its script is not on the path."""

from maskcheck.commands import main

if __name__ == "__main__":  # not in a process that spawn starts
    main(prog_name="maskcheck")
