"""The command ``maskcheck`` as a frozen program would have it: it looks detectors up by name, plugins included."""

from maskcheck.commands import main

main()
