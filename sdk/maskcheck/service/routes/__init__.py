"""The addresses of the service. Each module has ``router(service)``, which :mod:`maskcheck.service.app` includes."""
