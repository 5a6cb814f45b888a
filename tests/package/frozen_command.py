"""The command ``maskcheck``, to be frozen. It finds detectors by name, those of plugins too."""

from maskcheck.commands import main

main()
